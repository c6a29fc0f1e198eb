#include "formats/openvino/names.h"

#include <algorithm>

#include <array>

namespace edgewright::openvino_ir {
namespace {

constexpr std::array kUnary = std::to_array<NameRow>({
    {"Abs", "Abs", "opset1"},           {"Acos", "Acos", "opset1"},
    {"Acosh", "Acosh", "opset4"},       {"Asin", "Asin", "opset1"},
    {"Asinh", "Asinh", "opset4"},       {"Atan", "Atan", "opset1"},
    {"Atanh", "Atanh", "opset4"},       {"Ceil", "Ceiling", "opset1"},
    {"Cos", "Cos", "opset1"},           {"Cosh", "Cosh", "opset1"},
    {"Erf", "Erf", "opset1"},           {"Exp", "Exp", "opset1"},
    {"Floor", "Floor", "opset1"},       {"HardSwish", "HSwish", "opset4"},
    {"IsNaN", "IsNaN", "opset10"},      {"Log", "Log", "opset1"},
    {"Mish", "Mish", "opset4"},         {"Neg", "Negative", "opset1"},
    {"Not", "LogicalNot", "opset1"},    {"Relu", "ReLU", "opset1"},
    {"Sigmoid", "Sigmoid", "opset1"},   {"Sign", "Sign", "opset1"},
    {"Sin", "Sin", "opset1"},           {"Sinh", "Sinh", "opset1"},
    {"Softplus", "SoftPlus", "opset4"}, {"Softsign", "SoftSign", "opset9"},
    {"Sqrt", "Sqrt", "opset1"},         {"Tan", "Tan", "opset1"},
    {"Tanh", "Tanh", "opset1"},
});
constexpr std::array kBinary = std::to_array<NameRow>({
    {"Add", "Add", "opset1"},
    {"And", "LogicalAnd", "opset1"},
    {"Equal", "Equal", "opset1"},
    {"Greater", "Greater", "opset1"},
    {"GreaterOrEqual", "GreaterEqual", "opset1"},
    {"Less", "Less", "opset1"},
    {"LessOrEqual", "LessEqual", "opset1"},
    {"Max", "Maximum", "opset1"},
    {"Min", "Minimum", "opset1"},
    {"Mul", "Multiply", "opset1"},
    {"Or", "LogicalOr", "opset1"},
    {"Pow", "Power", "opset1"},
    {"Sub", "Subtract", "opset1"},
    {"Sum", "Add", "opset1"},
    {"Xor", "LogicalXor", "opset1"},
});

constexpr std::array kReductions = std::to_array<NameRow>({
    {"ReduceL1", "ReduceL1", "opset4"},
    {"ReduceL2", "ReduceL2", "opset4"},
    {"ReduceMax", "ReduceMax", "opset1"},
    {"ReduceMean", "ReduceMean", "opset1"},
    {"ReduceMin", "ReduceMin", "opset1"},
    {"ReduceProd", "ReduceProd", "opset1"},
    {"ReduceSum", "ReduceSum", "opset1"},
});

// The other layer types of opset1 to opset16 (openvino 2026.4.1), which are not read.
constexpr std::string_view kOthers[] = {
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "BatchToSpace",
    "BinaryConvolution",
    "BitwiseAnd",
    "BitwiseLeftShift",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseRightShift",
    "BitwiseXor",
    "Bucketize",
    "CTCGreedyDecoder",
    "CTCGreedyDecoderSeqLen",
    "CTCLoss",
    "Col2Im",
    "ConvertPromoteTypes",
    "DFT",
    "DeformableConvolution",
    "DeformablePSROIPooling",
    "DetectionOutput",
    "EmbeddingBagOffsets",
    "EmbeddingBagOffsetsSum",
    "EmbeddingBagPacked",
    "EmbeddingBagPackedSum",
    "EmbeddingSegmentsSum",
    "ExperimentalDetectronDetectionOutput",
    "ExperimentalDetectronGenerateProposalsSingleImage",
    "ExperimentalDetectronPriorGridGenerator",
    "ExperimentalDetectronROIFeatureExtractor",
    "ExperimentalDetectronTopKROIs",
    "ExtractImagePatches",
    "Eye",
    "FakeConvert",
    "GRN",
    "GRUCell",
    "GRUSequence",
    "GatherTree",
    "GenerateProposals",
    "GridSample",
    "I420toBGR",
    "I420toRGB",
    "IDFT",
    "IRDFT",
    "ISTFT",
    "If",
    "Inverse",
    "IsFinite",
    "IsInf",
    "LSTMCell",
    "LSTMSequence",
    "Loop",
    "MatrixNms",
    "MulticlassNms",
    "Multinomial",
    "NMSRotated",
    "NV12toBGR",
    "NV12toRGB",
    "NonMaxSuppression",
    "NormalizeL2",
    "OneHot",
    "PRelu",
    "PSROIPooling",
    "PriorBox",
    "PriorBoxClustered",
    "Proposal",
    "RDFT",
    "RNNCell",
    "RNNSequence",
    "ROIAlign",
    "ROIAlignRotated",
    "ROIPooling",
    "RandomUniform",
    "ReduceLogicalAnd",
    "ReduceLogicalOr",
    "RegionYolo",
    "Relu",
    "ReorgYolo",
    "ReverseSequence",
    "Roll",
    "STFT",
    "ScaledDotProductAttention",
    "ScatterUpdate",
    "SearchSorted",
    "SegmentMax",
    "ShuffleChannels",
    "SliceScatter",
    "Softmax",
    "SpaceToBatch",
    "SparseFillEmptyRows",
    "StringTensorPack",
    "StringTensorUnpack",
    "TensorIterator",
    "Unique",
};

}  // namespace

std::span<const NameRow> unary_names() { return kUnary; }
std::span<const NameRow> binary_names() { return kBinary; }
std::span<const NameRow> reduction_names() { return kReductions; }

bool is_known_type(std::string_view type) {
  return std::ranges::find(kOthers, type) != std::end(kOthers);
}

}  // namespace edgewright::openvino_ir
