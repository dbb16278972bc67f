// main() of the test programs where Catch2 2.13 does not bring one as a library.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
