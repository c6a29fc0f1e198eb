#pragma once

#include <string>
#include <string_view>

namespace edgewright {

// As little of an HTTP client as measures a server: one connection, one request after the other.
class HttpClient {
 public:
  HttpClient(const std::string& address, int port);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Sends a whole request and reads the whole answer, whose status it returns; 0 when the
  // connection ended.
  int ask(std::string_view request);
  const std::string& answer() const { return answer_; }

 private:
  bool read_more();
  int descriptor_;
  std::string answer_;
};

std::string post_request(std::string_view path, std::string_view headers, std::string_view body);

}  // namespace edgewright
