#include "llm/template/template.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

Error refused(std::string_view source) {
  const auto text = render_template(source, Json::object());
  EXPECT_FALSE(text.ok()) << source;
  return text.ok() ? Error{ErrorKind::kInternal, ""} : text.error();
}
ErrorKind refusal(std::string_view source) { return refused(source).kind; }

TEST(TemplateTest, DamageIsSaidWithItsLine) {
  const Error error = refused("a\n{% if x %}\n{{ y. }}");
  EXPECT_EQ(error.kind, ErrorKind::kBadInput);
  EXPECT_EQ(error.message,
            "chat template: line 3: expected an attribute's name, found the end of a tag or text");
  EXPECT_EQ(refusal("{{ 'a"), ErrorKind::kBadInput);
  EXPECT_EQ(refusal("{% whatever %}"), ErrorKind::kBadInput);
  EXPECT_EQ(refusal("{{ \x01 }}"), ErrorKind::kBadInput);
}

TEST(TemplateTest, WhatIsNotKnownIsUnsupportedByName) {
  const Error error = refused("{{ strftime_now('%Y') }}");
  EXPECT_EQ(error.kind, ErrorKind::kUnsupported);
  EXPECT_EQ(error.message, "chat template: line 1: the function 'strftime_now' is not supported");
  EXPECT_EQ(refusal("{% include 'x' %}"), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("{{ 'a'|wordwrap }}"), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("{{ 'a'.zfill(3) }}"), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("{{ 'a' is callable }}"), ErrorKind::kUnsupported);
}

TEST(TemplateTest, ItsOwnExceptionsAreWrongUsage) {
  const Error error = refused("{{ raise_exception('roles take turns') }}");
  EXPECT_EQ(error.kind, ErrorKind::kUsage);
  EXPECT_EQ(error.message, "the model's chat template says: roles take turns");
}

TEST(TemplateTest, ChangesAreCountedWhateverTheNumber) {
  const auto text = render_template(
      "{{ 'aaa'|replace('a', 'b', 2) }} {{ 'aaa'|replace('a', 'b', -9223372036854775807 - 1) }}",
      Json::object());
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_EQ(*text, "bba bbb");
}

// Templates look at all messages in every turn.
TEST(TemplateTest, LongConversationsAreNotTakenForGrowth) {
  Json messages = Json::array();
  for (int i = 0; i < 400; ++i) messages.push_back({{"content", std::string(2000, 'x')}});
  const auto text = render_template(
      "{% for m in messages %}{{ messages[0].content[0] }}{{ (messages|last).content[0] }}"
      "{% endfor %}",
      {{"messages", std::move(messages)}});
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_EQ(text->size(), 800);
}

// Templates come out of model files, which may be hostile.
TEST(TemplateTest, NothingGrowsWithoutEnd) {
  const std::string many(100'000, '(');
  EXPECT_EQ(refusal("{{ " + many), ErrorKind::kBadInput);
  std::string chain = "1";
  for (int i = 0; i < 1000; ++i) chain += "~1";
  EXPECT_EQ(refusal("{{ " + chain + " }}"), ErrorKind::kBadInput);
  std::string loops;
  for (int i = 0; i < 4; ++i) loops += "{% for i in range(1000) %}";
  loops += "x";
  for (int i = 0; i < 4; ++i) loops += "{% endfor %}";
  EXPECT_EQ(refusal(loops), ErrorKind::kBadInput);
  EXPECT_EQ(refusal("{% set n = namespace(x='abcdefgh') %}{% for i in range(90) %}"
                    "{% set n.x = n.x ~ n.x %}{% endfor %}"),
            ErrorKind::kBadInput);
  EXPECT_EQ(refusal("{% set n = namespace(x=[]) %}{% for i in range(90000) %}"
                    "{% set n.x = [n.x] %}{% endfor %}"),
            ErrorKind::kBadInput);
  EXPECT_EQ(refusal("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), ErrorKind::kBadInput);
  std::string nested;
  for (int i = 0; i < 5000; ++i) nested += "{% if true %}";
  EXPECT_EQ(refusal(nested), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
