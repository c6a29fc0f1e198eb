#include "report/page.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace edgewright {
namespace {

constexpr std::string_view kDocument =
    R"({"schema": "edgewright.bench/1", "warnings": ["</script><b>&amp;"]})";

// What the page of a document has between the marks of its data.
std::string data_of(const std::string& page) {
  constexpr std::string_view kBegin = R"(<script type="application/json" id="document">)";
  const size_t begin = page.find(kBegin) + kBegin.size();
  return page.substr(begin, page.find("</script>", begin) - begin);
}

class ReportPage : public testing::Test {
 protected:
  void SetUp() override {
    if (page_template().empty()) GTEST_SKIP() << "built without the report page";
  }
};

TEST_F(ReportPage, HoldsTheDocumentWhateverItsText) {
  const auto page = report_page(kDocument, "");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(Json::parse(data_of(*page)), Json::parse(kDocument));
  EXPECT_EQ(page->find("</script><b>"), std::string::npos);
}

TEST_F(ReportPage, NamesTheCommandLine) {
  const auto page = report_page(kDocument, "edgewright bench <model>");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(Json::parse(data_of(*page))["command_line"], "edgewright bench <model>");
}

TEST_F(ReportPage, AsksForNothingFromOutside) {
  const auto page = report_page(kDocument, "");
  ASSERT_TRUE(page.ok());
  EXPECT_NE(page->find("default-src 'none'"), std::string::npos);
  for (const char* reference : {"<link", " src=", "@import", "@STYLE@", "@SCRIPT@"}) {
    EXPECT_EQ(page->find(reference), std::string::npos) << reference;
  }
}

TEST_F(ReportPage, RefusesWhatIsNoDocument) {
  for (const char* text : {"", "[]", "{}", R"({"schema": 1})", "{\"schema\": \"x\""}) {
    const auto page = report_page(text, "");
    ASSERT_FALSE(page.ok()) << text;
    EXPECT_EQ(page.error().kind, ErrorKind::kBadInput) << text;
  }
}

}  // namespace
}  // namespace edgewright
