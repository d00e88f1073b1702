package tokenize

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/r3f-ort/r3f-ort/internal/confine"
)

const (
	modelConfigFile   = "config.json"
	configFile        = "tokenizer_config.json"
	specialTokensFile = "special_tokens_map.json"
	addedTokensFile   = "added_tokens.json"
)

// settings is what the files beside a vocabulary say about a tokenizer that has
// no tokenizer.json. Absent fields are left to the family.
type settings struct {
	class     string // of tokenizer_config.json, or "" where it names none
	modelType string // of config.json
	file      string // tokenizer_config.json

	DoLowerCase          *bool `json:"do_lower_case"`
	TokenizeChineseChars *bool `json:"tokenize_chinese_chars"`
	StripAccents         *bool `json:"strip_accents"`
	KeepAccents          *bool `json:"keep_accents"`
	SplitByPunct         *bool `json:"split_by_punct"`
	AddPrefixSpace       *bool `json:"add_prefix_space"`
	AddBOSToken          *bool `json:"add_bos_token"`
	AddEOSToken          *bool `json:"add_eos_token"`
	Legacy               *bool `json:"legacy"`
	ExtraIDs             *int  `json:"extra_ids"`

	roles map[string]addedConfig // tokens by their role, such as "cls_token"
	added []addedConfig          // in the order of their ids
	extra []addedConfig          // special tokens without a role
}

func newSettings(dir string) *settings {
	return &settings{file: filepath.Join(dir, configFile), roles: map[string]addedConfig{}}
}

// readSettings reads the files in dir; none of them need exist.
func readSettings(dir string) (*settings, error) {
	s := newSettings(dir)
	var model struct {
		ModelType string `json:"model_type"`
	}
	if _, err := decodeFile(filepath.Join(dir, modelConfigFile), &model); err != nil {
		return nil, err
	}
	s.modelType = model.ModelType
	var class struct {
		Class string                     `json:"tokenizer_class"`
		Added map[string]json.RawMessage `json:"added_tokens_decoder"`
	}
	root, err := decodeFile(s.file, &class)
	if err != nil {
		return nil, err
	}
	s.class = class.Class
	if root.null() {
		root.raw = []byte("{}")
	}
	if err := root.decode(s); err != nil {
		return nil, err
	}
	if err := s.readRoles(root); err != nil {
		return nil, err
	}
	if class.Added != nil {
		return s, s.readAdded(root.at("added_tokens_decoder", nil), class.Added)
	}
	if root, err = decodeFile(filepath.Join(dir, specialTokensFile), &struct{}{}); err != nil {
		return nil, err
	}
	if !root.null() {
		if err := s.readRoles(root); err != nil {
			return nil, err
		}
	}
	return s, s.readLegacyAdded(dir)
}

// decodeFile reads a JSON object; an absent file gives a null section.
func decodeFile(file string, target any) (section, error) {
	root := section{file: file}
	data, err := confine.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return root, nil
	}
	if err != nil {
		return root, err
	}
	root.raw = data
	return root, root.decode(target)
}

// roles are the special tokens with a role, in the order they are added.
var roles = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// readRoles reads the special tokens of an object that has them by their roles.
func (s *settings) readRoles(root section) error {
	var fields map[string]json.RawMessage
	if err := root.decode(&fields); err != nil {
		return err
	}
	for _, role := range roles {
		at := root.at(role, fields[role])
		if at.null() {
			continue
		}
		token, err := readToken(at)
		if err != nil {
			return err
		}
		s.roles[role] = token
	}
	for _, key := range []string{"additional_special_tokens", "extra_special_tokens"} {
		at := root.at(key, fields[key])
		if at.null() || at.raw[0] != '[' {
			continue
		}
		list, err := at.list()
		if err != nil {
			return err
		}
		for _, at := range list {
			token, err := readToken(at)
			if err != nil {
				return err
			}
			s.extra = append(s.extra, token)
		}
	}
	return nil
}

// readToken reads a special token: its content, or an object that has it.
func readToken(s section) (addedConfig, error) {
	var config addedConfig
	if bytes.HasPrefix(s.raw, []byte("{")) {
		return config, s.decode(&config, "content")
	}
	return config, s.decode(&config.Content)
}

// readAdded reads the added tokens of tokenizer_config.json, by their ids.
func (s *settings) readAdded(at section, tokens map[string]json.RawMessage) error {
	for key, raw := range tokens {
		at := at.at(key, raw)
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil {
			return at.errorf("want a token id for a key")
		}
		config := addedConfig{ID: &id}
		if err := at.decode(&config, "content"); err != nil {
			return err
		}
		config.ID = &id
		s.added = append(s.added, config)
	}
	sortByID(s.added)
	return nil
}

// readLegacyAdded reads added_tokens.json, {content: id}.
func (s *settings) readLegacyAdded(dir string) error {
	var ids map[string]int64
	if _, err := decodeFile(filepath.Join(dir, addedTokensFile), &ids); err != nil {
		return err
	}
	for content, id := range ids {
		special := slices.ContainsFunc(s.extra, func(t addedConfig) bool { return t.Content == content })
		for _, t := range s.roles {
			special = special || t.Content == content
		}
		s.added = append(s.added, addedConfig{ID: &id, Content: content, Normalized: !special})
	}
	sortByID(s.added)
	return nil
}

func sortByID(tokens []addedConfig) {
	slices.SortFunc(tokens, func(a, b addedConfig) int { return int(*a.ID - *b.ID) })
}
