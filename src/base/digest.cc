#include "base/digest.h"

#include <sodium.h>

#include <array>

#include "base/file.h"

namespace edgewright {

std::string sha256(std::span<const std::byte> bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

std::string sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

Result<std::string> sha256_of_file(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const auto file, MappedFile::open(path));
  return sha256(file->bytes());
}

}  // namespace edgewright
