# cmake -DPAGE=page.html -DBUNDLED=BOOL -DFOLDER=F -P embed_report_page.cmake
#
# Puts F/style.css and F/main.js into the page, and the page into F/report_page.cc as bytes. Without
# a bundle the page is empty.
set(bytes "")
if(BUNDLED)
  file(READ ${PAGE} page)
  file(READ ${FOLDER}/style.css style)
  file(READ ${FOLDER}/main.js script)
  string(REPLACE "@STYLE@" "${style}" page "${page}")
  string(REPLACE "@SCRIPT@" "${script}" page "${page}")
  file(WRITE ${FOLDER}/page.html "${page}")
  file(READ ${FOLDER}/page.html hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  # Eight bytes a line: compilers take no lines of megabytes.
  string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" bytes
    "${bytes}")
endif()
file(WRITE ${FOLDER}/report_page.cc "// Generated from web/.
#include \"report/page.h\"

namespace edgewright {

std::string_view page_template() {
  static constexpr unsigned char kPage[] = {${bytes}0};
  return {reinterpret_cast<const char*>(kPage), sizeof(kPage) - 1};
}

}  // namespace edgewright
")
