#include "split/privacy/seal.h"

#include <sodium.h>

#include "split/privacy/random.h"

namespace edgewright {
namespace {

constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(std::tuple_size_v<SealKey> == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

SealKey random_key() {
  SealKey key;
  secure_bytes(key);
  return key;
}

std::vector<std::byte> seal(std::span<const std::byte> plain, std::string_view context,
                            const SealKey& key) {
  // The nonce leads; 24 random bytes never repeat in practice.
  std::vector<std::byte> sealed(kNonceBytes + plain.size() + kTagBytes);
  secure_bytes(std::span(sealed).first(kNonceBytes));
  unsigned long long size = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      raw(sealed.data() + kNonceBytes), &size, raw(plain.data()), plain.size(), raw(context),
      context.size(), nullptr, raw(sealed.data()), raw(key.data()));
  return sealed;
}

Result<std::vector<std::byte>> open_seal(std::span<const std::byte> sealed,
                                         std::string_view context, const SealKey& key) {
  if (sealed.size() < kNonceBytes + kTagBytes) {
    return bad_input("found {} sealed bytes, expected at least {}", sealed.size(),
                     kNonceBytes + kTagBytes);
  }
  std::vector<std::byte> plain(sealed.size() - kNonceBytes - kTagBytes);
  unsigned long long size = 0;
  const auto body = sealed.subspan(kNonceBytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          raw(plain.data()), &size, nullptr, raw(body.data()), body.size(), raw(context),
          context.size(), raw(sealed.data()), raw(key.data())) != 0) {
    return bad_input(
        "a sealed tensor does not open for '{}': wrong key or context, or changed on "
        "its way",
        context);
  }
  return plain;
}

}  // namespace edgewright
