package driver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// manifest lists a checkpoint's files; it is written last. One that is not in every byte as it would be written is
// damaged.
type manifest struct {
	Format int                     `json:"format"`
	Files  map[string]manifestFile `json:"files"` // by slash-separated name
}

type manifestFile struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// maxJSON bounds the manifest and the state: they hold a run's configuration and metrics, some kilobytes.
const maxJSON = 16 << 20

// parseManifest reads a manifest.json.
func parseManifest(data []byte) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return m, err
	}
	if m.Format != checkpointFormat {
		return m, fmt.Errorf("its format is %d; this program reads format %d", m.Format, checkpointFormat)
	}
	if again, err := encodeJSON(m); err != nil || !bytes.Equal(again, data) {
		return m, errors.Join(errors.New("it is damaged"), err)
	}
	for _, name := range []string{weightsFile, momentsFile, stateFile} {
		if _, ok := m.Files[name]; !ok {
			return m, fmt.Errorf("it does not list %s", name)
		}
	}
	for name := range m.Files {
		if !filepath.IsLocal(name) || path.Clean(name) != name {
			return m, fmt.Errorf("it lists %q, which is no name inside a checkpoint", name)
		}
	}
	return m, nil
}

// readManifest reads and checks a checkpoint's manifest and every file that it lists.
func readManifest(root *os.Root) (manifest, error) {
	data, err := readLimited(root, manifestName)
	if err != nil {
		return manifest{}, err
	}
	m, err := parseManifest(data)
	if err != nil {
		return manifest{}, fmt.Errorf("reading %s: %w", manifestName, err)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		got, err := fingerprint(root, name, m.Files[name].Size)
		if err != nil {
			return manifest{}, err
		}
		if got != m.Files[name] {
			return manifest{}, fmt.Errorf("%s does not match the manifest: it is damaged", name)
		}
	}
	return m, nil
}

// fingerprint hashes a file, up to one byte more than its size should be.
func fingerprint(root *os.Root, name string, size int64) (manifestFile, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return manifestFile{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, max(size, size+1)))
	return manifestFile{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// readLimited reads a small file.
func readLimited(root *os.Root, name string) ([]byte, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxJSON+1))
	if err == nil && len(data) > maxJSON {
		err = fmt.Errorf("%s is larger than %d MB", name, maxJSON>>20)
	}
	return data, err
}

// openRegular opens a file inside root: no link, no pipe, nothing that a reader would wait for.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	return root.Open(name)
}

// filesBelow lists the files of a directory and those below it, slash-separated and in order.
func filesBelow(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, filepath.ToSlash(strings.TrimPrefix(p, dir+string(filepath.Separator))))
		}
		return err
	})
	return names, err
}
