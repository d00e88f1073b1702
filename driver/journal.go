package driver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"

	"github.com/r3f-ort/r3f-ort/internal/durable"
)

// journal is metrics.jsonl: lines are appended, and a resumed run cuts it back to its checkpoint.
type journal struct {
	path string
	file durable.File
	size int64     // of all lines, those still late too
	sum  hash.Hash // of the same
	late []byte    // what the disk had no room for yet
}

// mark says what a journal held when a checkpoint was written.
type mark struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// emptyMark is that of no line.
var emptyMark = (&journal{sum: sha256.New()}).mark()

// openJournal opens the file at path, whatever it holds.
func openJournal(fs durable.FS, path string) (*journal, error) {
	f, err := fs.Append(path)
	if err != nil {
		return nil, err
	}
	j := &journal{path: path, file: f, sum: sha256.New()}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	j.size = int64(len(data))
	j.sum.Write(data)
	return j, nil
}

// write appends one line. Where that fails the line is late: the next write begins with it, so that none is lost or
// torn once the disk takes them again.
func (j *journal) write(line any) error {
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("writing %s: %w", j.path, err)
	}
	data = append(data, '\n')
	j.late = append(j.late, data...)
	j.size += int64(len(data))
	j.sum.Write(data)
	return j.flush()
}

// flush writes what is late.
func (j *journal) flush() error {
	if len(j.late) == 0 {
		return nil
	}
	n, err := j.file.Write(j.late)
	j.late = j.late[:copy(j.late, j.late[n:])]
	if err != nil {
		return fmt.Errorf("writing %s: %w%s", j.path, err, durable.Advice(err))
	}
	return nil
}

// mark is what the journal holds now.
func (j *journal) mark() mark { return mark{j.size, hex.EncodeToString(j.sum.Sum(nil))} }

// sync makes the lines written so far last. It may run beside write.
func (j *journal) sync() error { return j.file.Sync() }

// cut drops the lines of steps after step, of step's evaluation where that is due, and a torn last line. It reports
// whether what is left is what a checkpoint's mark says; where it is not, and force is not set, nothing is changed.
func (j *journal) cut(step int, evalDue bool, want mark, force bool) (agrees bool, err error) {
	data, err := os.ReadFile(j.path)
	if err != nil {
		return false, fmt.Errorf("truncating metrics: %w", err)
	}
	keep := 0
	for line := range bytes.Lines(data) {
		var record EvalRecord // or a StepRecord, without a split
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &record) != nil ||
			record.Step > step || evalDue && record.Step == step && record.Split != "" {
			break
		}
		keep += len(line)
	}
	left := &journal{size: int64(keep), sum: sha256.New()}
	left.sum.Write(data[:keep])
	if agrees = left.mark() == want; !agrees && !force {
		return false, nil
	}
	if err := j.file.Truncate(int64(keep)); err != nil {
		return agrees, fmt.Errorf("truncating metrics: %w", err)
	}
	j.size, j.sum, j.late = left.size, left.sum, nil
	return agrees, nil
}

// close writes and syncs what there is, and closes the file.
func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return errors.Join(j.flush(), j.file.Sync(), j.file.Close())
}
