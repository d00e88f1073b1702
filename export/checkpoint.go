package export

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/safetensors"
)

// The checkpoint of ONNX Runtime's training API is a flatbuffer of these tables. A field is known by its slot, its
// place in the table's declaration; what is not named here is absent.
//
// Source: ONNX Runtime 1.19.2, core/flatbuffers/schema/ort_training_checkpoint.fbs and ort.fbs.
const (
	checkpointIdentifier = "ODTC"
	checkpointVersion    = 2

	checkpointSlots       = 4 // version, module_state, optimizer_groups, property_bag
	checkpointVersionSlot = 0 // int32
	checkpointModuleSlot  = 1 // ModuleState

	moduleSlots         = 4 // requires_grad_params, frozen_params, is_nominal_state, has_external_data
	moduleTrainableSlot = 0 // [Tensor]
	moduleFrozenSlot    = 1 // [Tensor]

	tensorSlots    = 7 // name, doc_string, dims, data_type, raw_data, string_data, external_data_offset
	tensorNameSlot = 0 // string
	tensorDimsSlot = 2 // [int64]
	tensorTypeSlot = 3 // int32: ONNX's number of the element type
	tensorDataSlot = 4 // [uint8]
)

// dataAlignment is where tensor data begins in the file: at a multiple of it.
const dataAlignment = 16

// writeCheckpoint writes the trained parameters in the order of the graph's, without optimiser state: the training API
// starts the moments at 0.
//
// A flatbuffer refers forward by 32-bit distances, so the tables go first, and the data, which is nearly all of the
// file, follows straight from the weights' memory.
func writeCheckpoint(w io.Writer, parameters []*graphs.Value, weights []graphs.Weight) error {
	tensors, err := checkpointTensors(parameters, weights)
	if err != nil {
		return err
	}
	head, places := checkpointTables(tensors)
	end := int64(len(head))
	gaps := make([]int, len(tensors))
	for i, t := range tensors {
		// The data's length, uint32, stands before the data.
		start := (end + 4 + dataAlignment - 1) / dataAlignment * dataAlignment
		gaps[i] = int(start - 4 - end)
		binary.LittleEndian.PutUint32(head[places[i]:], uint32(start-4-int64(places[i])))
		end = start + int64(len(t.Data))
	}
	if end > math.MaxInt32 {
		return fmt.Errorf("a checkpoint of %d bytes: a flatbuffer holds 2³¹−1 at most; export a smaller model", end)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	var length [dataAlignment + 4]byte
	for i, t := range tensors {
		prefix := length[:gaps[i]+4]
		clear(prefix)
		binary.LittleEndian.PutUint32(prefix[gaps[i]:], uint32(len(t.Data)))
		for _, part := range [][]byte{prefix, t.Data} {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkpointTensors views the weight of each parameter as bytes.
func checkpointTensors(parameters []*graphs.Value, weights []graphs.Weight) ([]safetensors.Tensor, error) {
	byName := map[string]graphs.Weight{}
	for _, w := range weights {
		byName[w.Name] = w
	}
	var out []safetensors.Tensor
	for _, p := range parameters {
		w, ok := byName[p.Name]
		if !ok || len(w.Data) != p.Shape.Product().Coef {
			return nil, fmt.Errorf("parameter %q %v has %d values", p.Name, p.Shape, len(w.Data))
		}
		out = append(out, safetensors.FromFloat32s(w.Name, w.Shape, w.Data))
	}
	return out, nil
}

// checkpointTables builds the flatbuffer without the tensors' data, and says at which of its bytes the distance to
// each tensor's data belongs.
func checkpointTables(tensors []safetensors.Tensor) (head []byte, places []int) {
	b := flatbuffers.NewBuilder(1 << 16)
	nothing := b.CreateByteVector(nil) // stands for the data until the distance is known
	tables := make([]flatbuffers.UOffsetT, len(tensors))
	for i, t := range tensors {
		name := b.CreateString(t.Name)
		b.StartVector(8, len(t.Shape), 8)
		for k := len(t.Shape) - 1; k >= 0; k-- {
			b.PrependInt64(int64(t.Shape[k]))
		}
		dims := b.EndVector(len(t.Shape))
		b.StartObject(tensorSlots)
		b.PrependUOffsetTSlot(tensorNameSlot, name, 0)
		b.PrependUOffsetTSlot(tensorDimsSlot, dims, 0)
		b.PrependInt32Slot(tensorTypeSlot, int32(graphs.Float32), 0)
		b.PrependUOffsetTSlot(tensorDataSlot, nothing, 0)
		tables[i] = b.EndObject()
	}
	trainable, frozen := offsets(b, tables), offsets(b, nil)
	b.StartObject(moduleSlots)
	b.PrependUOffsetTSlot(moduleTrainableSlot, trainable, 0)
	b.PrependUOffsetTSlot(moduleFrozenSlot, frozen, 0)
	module := b.EndObject()
	b.StartObject(checkpointSlots)
	b.PrependInt32Slot(checkpointVersionSlot, checkpointVersion, 0)
	b.PrependUOffsetTSlot(checkpointModuleSlot, module, 0)
	b.FinishWithFileIdentifier(b.EndObject(), []byte(checkpointIdentifier))
	head = b.FinishedBytes()
	for _, fromEnd := range tables {
		t := flatbuffers.Table{Bytes: head, Pos: flatbuffers.UOffsetT(len(head)) - fromEnd}
		field := t.Offset(flatbuffers.VOffsetT(4 + 2*tensorDataSlot))
		places = append(places, int(t.Pos)+int(field))
	}
	return head, places
}

// offsets is a vector of tables.
func offsets(b *flatbuffers.Builder, tables []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	b.StartVector(4, len(tables), 4)
	for i := len(tables) - 1; i >= 0; i-- {
		b.PrependUOffsetT(tables[i])
	}
	return b.EndVector(len(tables))
}
