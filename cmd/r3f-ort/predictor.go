package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/r3f-ort/r3f-ort/driver"
	"github.com/r3f-ort/r3f-ort/driver/stock"
	"github.com/r3f-ort/r3f-ort/export"
	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/tokenize"
)

// predictor is an opened export: a driver.Forwarder over its model.onnx, with its tokenizer.
type predictor struct {
	export.Info
	tokenizer *tokenize.Tokenizer
	session   *stock.Predictor
}

// exportDir returns the export that --model names: a run directory's, or the directory itself.
func exportDir(flag string) (string, error) {
	if flag == "" {
		return "", usagef("no model: give --model RUN, a run directory, or --model DIR, an export")
	}
	inside := filepath.Join(flag, "model")
	if _, err := os.Stat(filepath.Join(inside, export.ModelFile)); err == nil {
		return inside, nil
	}
	if _, err := os.Stat(filepath.Join(flag, export.ModelFile)); err != nil {
		return "", usagef("opening an export: %w; --model wants a run that has evaluated at least once, or the output of r3f-ort export", err)
	}
	return flag, nil
}

// openPredictor opens the export that --model names. Close it when done.
func openPredictor(flag string, o stock.Options) (*predictor, error) {
	dir, err := exportDir(flag)
	if err != nil {
		return nil, err
	}
	info, err := export.Read(dir)
	if err != nil {
		return nil, err
	}
	tok, err := loadTokenizer(dir, info.Config)
	if err != nil {
		return nil, err
	}
	session, err := stock.NewPredictor(filepath.Join(dir, export.ModelFile), o)
	if err != nil && !errors.Is(err, stock.ErrLibrary) {
		err = fmt.Errorf("opening an export: %w: %w; export it again", graphs.ErrModel, err)
	}
	if err != nil {
		return nil, err
	}
	if k := session.Classes(); k != info.Config.NumLabels {
		session.Close()
		return nil, fmt.Errorf("opening %s: %w: %s has %d outputs, config.json names %d; export it again", dir, graphs.ErrModel, export.ModelFile, k, info.Config.NumLabels)
	}
	return &predictor{info, tok, session}, nil
}

// Spec describes the model as driver.Predict needs it.
func (p *predictor) Spec() driver.Spec {
	c := p.Config
	return driver.Spec{Classes: c.NumLabels, VocabSize: c.VocabSize, MaxTokens: c.MaxTokens(), PadID: int64(c.PadTokenID)}
}

// Forward runs one batch.
func (p *predictor) Forward(ctx context.Context, b *driver.Batch) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.session.Logits(b.InputIDs, b.AttentionMask, b.TypeIDs, b.Size, b.Tokens)
}
