// Chat templates in the manner of every supported family, and single constructs, written once by
// jinja2 as transformers sets it up (record_templates.py): the same texts, the same refusals.

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "llm/chat.h"
#include "llm/template/template.h"

namespace edgewright {
namespace {

Json recorded() {
  const auto text = read_file(EDGEWRIGHT_LANGUAGE_TEMPLATES);
  EXPECT_TRUE(text.ok());
  return Json::parse(*text);
}

Json variables_of(const Json& messages) {
  return {{"messages", messages},          {"bos_token", "<s>"}, {"eos_token", "</s>"},
          {"add_generation_prompt", true}, {"tools", nullptr},   {"documents", nullptr}};
}

TEST(TemplatesTest, TextsAreThoseOfJinja) {
  const Json all = recorded();
  ASSERT_GE(all["cases"].size(), 50U);
  for (const Json& entry : all["cases"]) {
    const auto source = entry["template"].get<std::string>();
    for (size_t i = 0; i < entry["texts"].size(); ++i) {
      const Json& expected = entry["texts"][i];
      const auto found = render_template(source, variables_of(all["talks"][i]));
      const std::string where = entry["name"].get<std::string>() + ", talk " + std::to_string(i);
      ASSERT_EQ(found.ok(), expected.is_string()) << where << ": " << source << "\n"
                                                  << (found.ok() ? *found : found.error().message);
      if (found.ok()) {
        EXPECT_EQ(*found, expected.get<std::string>()) << where << ": " << source;
      }
    }
  }
}

// Where Jinja refuses a system turn, its text goes before the first user's.
TEST(TemplatesTest, ConversationsOfEveryFamilyAreWritten) {
  const Json all = recorded();
  for (const Json& entry : all["cases"]) {
    if (entry["name"].get<std::string>().starts_with("construct")) continue;
    std::vector<ChatTurn> turns;
    for (const Json& turn : all["talks"][2]) turns.push_back({turn["role"], turn["content"]});
    const auto found = format_chat(entry["template"].get<std::string>(), turns, {"<s>", "</s>"});
    ASSERT_TRUE(found.ok()) << entry["name"] << found.error().message;
    for (const char* part : {"Be brief.", "Hi", "Hello, 'friend'", "Bye"}) {
      EXPECT_NE(found->find(part), std::string::npos) << entry["name"] << part;
    }
    if (entry["texts"][2].is_string()) {
      EXPECT_EQ(*found, entry["texts"][2].get<std::string>());
    }
  }
}

}  // namespace
}  // namespace edgewright
