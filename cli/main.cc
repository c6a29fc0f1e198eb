#include <cstdio>

int main() {
  std::fputs("edgewright: no commands yet\n", stderr);
  return 2;
}
