// Runs all tests of this folder for one instruction set; exit status 1 if one fails.
#include "check.h"

int main() {
  for (const Test& test : Test::all()) {
    const int before = Test::failures;
    test.run();
    std::printf("%s %s\n", Test::failures == before ? "passed" : "FAILED", test.name);
  }
  return Test::failures > 0;
}
