// The main function of every test program. Tests run side by side, one process per case, so each
// process gets a temporary folder of its own: what a case leaves there no other case can see.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  testing::InitGoogleTest(&argc, argv);
  std::string folder = (fs::temp_directory_path() / "edgewright-test-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    std::perror(folder.c_str());
    return 1;
  }
  // GoogleTest's TempDir() reads the first, the standard library the second.
  for (const char* variable : {"TEST_TMPDIR", "TMPDIR"}) setenv(variable, folder.c_str(), 1);
  const int result = RUN_ALL_TESTS();
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return result;
}
