#include "formats/npy/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace edgewright {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(Npy, EveryTypeComesBack) {
  const Tensor tensors[] = {
      Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6.5f}),
      Tensor::of<int64_t>({3}, {-1, 0, 1}),
      Tensor::scalar<double>(0.1),
      Tensor::of<bool>({2, 1}, {true, false}),
      Tensor::of<uint8_t>({0, 4}, {}),
      Tensor::strings({2}, {"a", "bcd"}),
  };
  for (const Tensor& tensor : tensors) {
    auto text = format_npy(tensor);
    ASSERT_TRUE(text.ok());
    EXPECT_EQ((text->find('\n') + 1) % 64, 0u);
    auto back = parse_npy(bytes_of(*text));
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_TRUE(identical(tensor, *back));
  }
}

TEST(Npy, FortranOrderIsRearranged) {
  auto text = format_npy(Tensor::of<float>({2, 3}, {1, 4, 2, 5, 3, 6}));
  const size_t at = text->find("False");
  text->replace(at, 5, "True ");
  auto back = parse_npy(bytes_of(*text));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_TRUE(identical(*back, Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})));
}

TEST(Npy, BrokenFilesAreRefused) {
  const auto text = format_npy(Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  for (size_t length = 0; length < text->size(); ++length) {
    EXPECT_FALSE(parse_npy(bytes_of(text->substr(0, length))).ok()) << length;
  }
  std::string huge = *text;
  huge.replace(huge.find("(2, 3)"), 6, "(9999999999999999999999)");
  EXPECT_FALSE(parse_npy(bytes_of(huge)).ok());
}

TEST(Npz, ArchiveComesBackAndIsReproducible) {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("npz_test_{}", ::getpid());
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "data.npz").string();
  const NamedTensors tensors = {{"x", Tensor::of<float>({2}, {1, 2})},
                                {"labels", Tensor::of<int64_t>({2}, {3, 4})}};
  ASSERT_TRUE(write_npz(path, tensors).ok());
  const auto first = read_file(path);
  ASSERT_TRUE(write_npz(path, tensors).ok());
  EXPECT_EQ(*first, *read_file(path));
  auto back = read_data(path);
  ASSERT_TRUE(back.ok()) << back.error().message;
  ASSERT_EQ(back->size(), 2u);
  EXPECT_TRUE(identical(back->at("x"), tensors.at("x")));
  EXPECT_TRUE(identical(back->at("labels"), tensors.at("labels")));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace edgewright
