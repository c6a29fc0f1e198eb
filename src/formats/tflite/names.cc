#include "formats/tflite/names.h"

#include <array>

namespace edgewright::tflite_io {
namespace {

using Operator = tflite_schema::BuiltinOperator;

constexpr std::array kUnary = std::to_array<NameRow>({
    {"Abs", Operator::ABS},
    {"Ceil", Operator::CEIL},
    {"Cos", Operator::COS},
    {"Exp", Operator::EXP},
    {"Floor", Operator::FLOOR},
    {"HardSwish", Operator::HARD_SWISH},
    {"Log", Operator::LOG},
    {"Neg", Operator::NEG},
    {"Not", Operator::LOGICAL_NOT},
    {"Relu", Operator::RELU},
    {"Round", Operator::ROUND},
    {"Sigmoid", Operator::LOGISTIC},
    {"Sign", Operator::SIGN},
    {"Sin", Operator::SIN},
    {"Sqrt", Operator::SQRT},
    {"Tanh", Operator::TANH},
});
constexpr std::array kBinary = std::to_array<NameRow>({
    {"Add", Operator::ADD},
    {"And", Operator::LOGICAL_AND},
    {"Div", Operator::DIV},
    {"Equal", Operator::EQUAL},
    {"Greater", Operator::GREATER},
    {"GreaterOrEqual", Operator::GREATER_EQUAL},
    {"Less", Operator::LESS},
    {"LessOrEqual", Operator::LESS_EQUAL},
    {"Max", Operator::MAXIMUM},
    {"Min", Operator::MINIMUM},
    {"Mul", Operator::MUL},
    {"Or", Operator::LOGICAL_OR},
    {"Pow", Operator::POW},
    {"Sub", Operator::SUB},
    {"Sum", Operator::ADD},
});
constexpr std::array kReductions = std::to_array<NameRow>({
    {"ReduceMax", Operator::REDUCE_MAX},
    {"ReduceMean", Operator::MEAN},
    {"ReduceMin", Operator::REDUCE_MIN},
    {"ReduceProd", Operator::REDUCE_PROD},
    {"ReduceSum", Operator::SUM},
});

}  // namespace

std::span<const NameRow> unary_names() { return kUnary; }
std::span<const NameRow> binary_names() { return kBinary; }
std::span<const NameRow> reduction_names() { return kReductions; }

}  // namespace edgewright::tflite_io
