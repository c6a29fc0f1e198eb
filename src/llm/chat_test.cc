#include "llm/chat.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

const std::vector<ChatTurn> kTalk = {
    {"system", "Be brief."}, {"user", "Hi"}, {"assistant", "Hello"}, {"user", "Bye"}};

TEST(ChatTest, FamiliesAreToldByTheirMarks) {
  EXPECT_EQ(*format_chat("{{'<|im_start|>' + role}}", kTalk),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
            "<|im_start|>assistant\n");
  EXPECT_EQ(*format_chat("<start_of_turn>", {{"system", "S"}, {"user", "U"}}),
            "<start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(*format_chat("[INST] <<SYS>>", kTalk),
            "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello </s><s>[INST] Bye [/INST]");
}

TEST(ChatTest, UnknownTemplatesAndRolesAreRefused) {
  EXPECT_EQ(format_chat("{{ weird }}", kTalk).error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(format_chat("", {{"robot", "x"}}).error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace edgewright
