package driver

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
)

// free are the keys of a configuration that may change between a run and its resumption: they decide when and where
// things are written and what they are called, and no byte of them. The hashes of the data files count, not their paths.
// The number of threads does count: the order of sums depends on it.
var free = []string{"checkpoint_every", "keep", "on_checkpoint_error", "preset", "train", "dev"}

// differences lists what differs between two configurations, in order of the keys, free keys apart.
func differences(before, now map[string]any) []string {
	keys := maps.Clone(before)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, now)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(free, k) && !reflect.DeepEqual(before[k], now[k]) {
			out = append(out, fmt.Sprintf("%s was %v and is now %v", k, before[k], now[k]))
		}
	}
	return out
}

// plain returns v, a map or a struct, as JSON has it.
func plain(v any) (map[string]any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil || out != nil {
		return out, err
	}
	return map[string]any{}, nil
}

// encodeJSON returns v as the files of a run hold it.
func encodeJSON(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}

func writeBytes(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}
