#pragma once

#include <functional>
#include <string>
#include <vector>

#include "serve/http/message.h"
#include "serve/service/service.h"

namespace edgewright {

// What the handlers of addresses work with.
struct HttpContext {
  Service& service;
  std::function<int()> connections;  // open now, for the metrics
};

// A request as a handler sees it: who asks, and the parts of the address that stand for {}.
struct RoutedRequest {
  const HttpRequest& http;
  std::string client;
  std::vector<std::string> parts;
};

struct Route {
  std::string_view method, pattern;  // "v2/models/{}/infer"
  HttpReply (*handle)(const HttpContext& context, const RoutedRequest& request);
  bool is_open = false;  // without a token too
};

// The addresses of each part of the interface, one table a part.
std::vector<Route> infer_routes();
std::vector<Route> model_routes();
std::vector<Route> completion_routes();
std::vector<Route> metrics_routes();

// Finds the handler of a request, asks for its token and calls it.
class Router {
 public:
  explicit Router(HttpContext context);
  HttpReply handle(const HttpRequest& request) const;

 private:
  struct Entry {
    Route route;
    std::vector<std::string> pattern;
  };
  HttpContext context_;
  std::vector<Entry> entries_;
};

// Deadline and routing key as the headers of a request say ("timeout-ms", "x-routing-key").
Caller caller_of(const HttpContext& context, const RoutedRequest& request);

}  // namespace edgewright
