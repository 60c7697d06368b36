"""Writes a streaming transducer for sherpa-onnx that needs no training.

It says "la" and "di" in turns, once for each sound. Its encoder is of the type "lstm": the state is the loudness of the
last frame, so that a sound that goes on from one chunk to the next is one word.

`python3 tiny_transducer.py tests/data/tiny-transducer` writes the files in the repository again. Needs the package onnx.
"""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Frames of 10 ms in a chunk; every fourth has an output.
CHUNK = 8
SUBSAMPLING = 4
TOKENS = ("<blk>", "<unk>", "\u2581la", "\u2581di")
LA, DI = 2, 3
# Mean of the logarithms of the mel energies above which a frame is loud.
LOUD = -8.0


def constant(name, values, kind=np.float32):
    return numpy_helper.from_array(np.asarray(values, kind), name)


def save(folder, name, nodes, inputs, outputs, constants, metadata):
    def tensors(described):
        return [helper.make_tensor_value_info(key, kind, shape) for key, kind, shape in described]

    graph = helper.make_graph(nodes, name, tensors(inputs), tensors(outputs), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(folder, "%s.onnx" % name))


def write_encoder(folder):
    node = helper.make_node
    nodes = [
        node("ReduceMean", ["x"], ["energy"], axes=[2], keepdims=0),
        node("Sub", ["energy", "threshold"], ["above"]),
        node("Sigmoid", ["above"], ["loudness"]),
        node("Slice", ["loudness", "zero", "chunk", "one", "subsampling"], ["now"]),
        node("Squeeze", ["h", "zero"], ["before_chunk"]),
        node("Slice", ["now", "zero", "minus_one", "one"], ["earlier"]),
        node("Concat", ["before_chunk", "earlier"], ["before"], axis=1),
        node("Sub", ["now", "before"], ["rise"]),
        node("Relu", ["rise"], ["onset"]),
        node("Unsqueeze", ["onset", "two"], ["onsets"]),
        node("Mul", ["onsets", "none"], ["nothing"]),
        node("Add", ["nothing", "all"], ["constant"]),
        node("Concat", ["onsets", "constant"], ["encoder_out"], axis=2),
        node("Slice", ["now", "minus_one", "end", "one"], ["last"]),
        node("Unsqueeze", ["last", "zero"], ["next_h"]),
        node("Identity", ["c"], ["next_c"]),
    ]
    integers = {"zero": [0], "one": [1], "two": [2], "chunk": [CHUNK], "subsampling": [SUBSAMPLING]}
    integers.update({"minus_one": [-1], "end": [2**31]})
    constants = [constant(name, values, np.int64) for name, values in integers.items()]
    constants += [constant("threshold", LOUD), constant("none", 0), constant("all", 1)]
    number = TensorProto.FLOAT
    inputs = [("x", number, ["N", CHUNK, 80]), ("h", number, [1, "N", 1]), ("c", number, [1, "N", 1])]
    outputs = [
        ("encoder_out", number, ["N", CHUNK // SUBSAMPLING, 2]),
        ("next_h", number, [1, "N", 1]),
        ("next_c", number, [1, "N", 1]),
    ]
    metadata = {"model_type": "lstm", "num_encoder_layers": 1, "T": CHUNK, "decode_chunk_len": CHUNK}
    save(folder, "encoder", nodes, inputs, outputs, constants, {**metadata, "rnn_hidden_size": 1, "d_model": 1})


def write_decoder(folder):
    """Its output says by how much "la" and "di" are more likely after the last token."""
    after = np.zeros((len(TOKENS), 2), np.float32)
    after[:, 0] = 0.2
    after[LA] = (-0.2, 0.2)
    nodes = [
        helper.make_node("Gather", ["after", "y"], ["all"]),
        helper.make_node("ReduceMean", ["all"], ["decoder_out"], axes=[1], keepdims=0),
    ]
    inputs = [("y", TensorProto.INT64, ["N", 1])]
    outputs = [("decoder_out", TensorProto.FLOAT, ["N", 2])]
    metadata = {"vocab_size": len(TOKENS), "context_size": 1}
    save(folder, "decoder", nodes, inputs, outputs, [constant("after", after)], metadata)


def write_joiner(folder):
    # Rows: the onset and the constant of the encoder. Columns: the tokens.
    of_encoder = [[0, 0, 1, 1], [0.6, -9, 0, 0]]
    of_decoder = [[0, 0, 1, 0], [0, 0, 0, 1]]
    nodes = [
        helper.make_node("MatMul", ["encoder_out", "of_encoder"], ["one"]),
        helper.make_node("MatMul", ["decoder_out", "of_decoder"], ["other"]),
        helper.make_node("Add", ["one", "other"], ["logit"]),
    ]
    number = TensorProto.FLOAT
    inputs = [("encoder_out", number, ["N", 2]), ("decoder_out", number, ["N", 2])]
    outputs = [("logit", number, ["N", len(TOKENS)])]
    constants = [constant("of_encoder", of_encoder), constant("of_decoder", of_decoder)]
    save(folder, "joiner", nodes, inputs, outputs, constants, {"joiner_dim": 2})


def main(folder):
    write_encoder(folder)
    write_decoder(folder)
    write_joiner(folder)
    with open(os.path.join(folder, "tokens.txt"), "w", encoding="utf-8") as file:
        file.writelines("%s %d\n" % (token, number) for number, token in enumerate(TOKENS))


main(sys.argv[1])
