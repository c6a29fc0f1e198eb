#include "llm/chat.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

const std::vector<ChatTurn> kTalk = {
    {"system", "Be brief."}, {"user", "Hi"}, {"assistant", "Hello"}, {"user", "Bye"}};

constexpr std::string_view kNoSystem =
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}"
    "{{ raise_exception('no system') }}{% endif %}[{{ m.role }}] {{ m.content }}{% endfor %}";

TEST(ChatTest, TemplatesAreRendered) {
  EXPECT_EQ(*format_chat("{{ eos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};"
                         "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}",
                         kTalk, {"<s>", "</s>"}),
            "</s>system:Be brief.;user:Hi;assistant:Hello;user:Bye;assistant:");
}

TEST(ChatTest, ARefusedSystemTurnGoesBeforeTheFirstUsers) {
  EXPECT_EQ(*format_chat(kNoSystem, kTalk, {"<s>", ""}),
            "<s>[user] Be brief.\n\nHi[assistant] Hello[user] Bye");
  EXPECT_EQ(format_chat(kNoSystem, {{"system", "S"}}).error().message,
            "the model's chat template says: no system");
}

TEST(ChatTest, WithoutATemplateLinesAreNamed) {
  EXPECT_EQ(*format_chat("", kTalk),
            "Be brief.\nUser: Hi\nAssistant: Hello\nUser: Bye\nAssistant:");
  EXPECT_EQ(chat_stop_strings(""), std::vector<std::string>{"\nUser:"});
}

TEST(ChatTest, UnknownRolesAreRefused) {
  EXPECT_EQ(format_chat("", {{"robot", "x"}}).error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace edgewright
