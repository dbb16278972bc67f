// The run-time options of the sanitizers, compiled into every program of a build with sanitizers, so that ctest, a
// server started by a test and a program started by hand all behave alike. The environment (ASAN_OPTIONS, ...) wins
// over them.

extern "C" {

const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:check_initialization_order=1:strict_string_checks=1";
}

// What libraries lose: c-ares, by which gRPC resolves names, a few bytes of each; libpqxx the result of a statement
// during which the connection was lost, since asking for its encoding throws.
const char* __lsan_default_suppressions() { return "leak:libcares.so\nleak:libpqxx\n"; }

const char* __lsan_default_options() { return "print_suppressions=0"; }

const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }

// The detector of deadlocks ends the program where a thread holds more than 64 locks. An atomic batch may hold those of
// all shards, in ascending order.
const char* __tsan_default_options() {
  return "halt_on_error=1:detect_deadlocks=0:history_size=4:suppressions=" KVS_TSAN_SUPPRESSIONS;
}

}  // extern "C"
