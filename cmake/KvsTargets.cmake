# How kvs targets are compiled. Every folder is one library made by kvs_library, with the folders that it may include
# named as its dependencies: includes point downwards only because nothing else is on the include path of the linker.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# gcc's -O3 takes a fifth longer to compile and showed no effect on calls.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

# Reading headers takes most of the time of a compiler here. Without it, each source is compiled alone, as tools that
# look at single sources need it, and names in unnamed namespaces need to differ only within their file.
option(KVS_UNITY "Compile all sources of a target together" ON)
set(CMAKE_UNITY_BUILD ${KVS_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 0)

set(KVS_SANITIZE "" CACHE STRING "Sanitizers to build with, such as address,undefined")

# Debian 13's Abseil defines this for whoever links it, and one precompiled header serves only what has the same.
add_compile_definitions(NOMINMAX)

add_library(kvs_options INTERFACE)
target_include_directories(kvs_options INTERFACE ${CMAKE_SOURCE_DIR})
# -pthread everywhere, since one precompiled header serves only what has the same options.
target_compile_options(kvs_options INTERFACE -pthread -Wall -Wextra -Wswitch -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # Reports std::optional and std::variant of numbers that are never read before they are set.
  target_compile_options(kvs_options INTERFACE -Wno-maybe-uninitialized)
else()
  target_compile_options(kvs_options INTERFACE -Wthread-safety)
endif()
if(KVS_SANITIZE)
  add_compile_options(-fsanitize=${KVS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KVS_SANITIZE})
  if(KVS_SANITIZE MATCHES thread)
    # protobuf's headers give maps another layout where this macro is defined, and the library was compiled without it.
    # The standard library is told in its own way.
    add_compile_options(-U__SANITIZE_THREAD__)
    add_compile_definitions(KVS_TSAN=1 _GLIBCXX_TSAN=1)
  endif()
  add_library(kvs_sanitizer_options OBJECT ${CMAKE_SOURCE_DIR}/cmake/sanitizer_options.cc)
  target_compile_definitions(
    kvs_sanitizer_options PRIVATE KVS_TSAN_SUPPRESSIONS="${CMAKE_SOURCE_DIR}/tests/tsan.supp")
  if(KVS_SANITIZE MATCHES thread)
    target_sources(kvs_sanitizer_options PRIVATE ${CMAKE_SOURCE_DIR}/cmake/tsan_edges.cc)
    target_link_libraries(
      kvs_sanitizer_options PUBLIC absl::status absl::synchronization gRPC::grpc++ OpenSSL::Crypto ${CMAKE_DL_LIBS})
  endif()
endif()

# libFuzzer is led by what the code of the servers did with an input. Newer versions of clang give some templates other
# names than gcc, which has compiled the libraries.
if(KVS_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link -fclang-abi-compat=17)
endif()

# A build with ccache and mold where they are installed; neither is needed. The base directory makes paths relative
# before they are hashed, so that a second checkout finds what the first one compiled.
find_program(KVS_CCACHE ccache)
if(KVS_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      ${KVS_CCACHE})
endif()
find_program(KVS_MOLD mold)
if(KVS_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12.1)
  add_link_options(-fuse-ld=mold)
endif()

# kvs_library(NAME SOURCES... DEPS...): a static library.
function(kvs_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE kvs_options)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_precompile_headers(${name} REUSE_FROM kvs_pch)
endfunction()

# For programs that serve: they allocate memory with jemalloc. Sanitizers bring an allocator of their own.
add_library(kvs_allocator INTERFACE)
if(NOT KVS_SANITIZE)
  target_link_libraries(kvs_allocator INTERFACE PkgConfig::jemalloc)
  # An object of the program itself: from a library it would not be linked, as jemalloc has one of its own.
  target_sources(kvs_allocator INTERFACE ${CMAKE_SOURCE_DIR}/common/process/malloc_conf.cc)
endif()

# kvs_executable(NAME [PCH TARGET] SOURCES... DEPS...): a program in bin/.
function(kvs_executable name)
  cmake_parse_arguments(ARG "" "PCH" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_PCH)
    set(ARG_PCH kvs_pch)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} kvs_options)
  target_precompile_headers(${name} REUSE_FROM ${ARG_PCH})
  if(KVS_SANITIZE)
    target_link_libraries(${name} PRIVATE kvs_sanitizer_options)
  endif()
endfunction()

# kvs_add_pch(NAME HEADERS...): the slow headers that many sources need, and HEADERS, compiled once, for targets of the
# same compile options. Sources still include what they use. Only headers of packages, so that no absolute path gets
# into the precompiled file and ccache can share it between checkouts.
function(kvs_add_pch name)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  file(WRITE ${source} "")
  add_library(${name} OBJECT ${source})
  target_link_libraries(${name} PRIVATE gRPC::grpc++ protobuf::libprotobuf Threads::Threads)
  target_precompile_headers(
    ${name}
    PRIVATE
      <absl/container/flat_hash_map.h>
      <absl/functional/any_invocable.h>
      <absl/status/statusor.h>
      <absl/strings/str_cat.h>
      <absl/strings/str_format.h>
      <absl/strings/str_join.h>
      <absl/strings/str_split.h>
      <absl/time/time.h>
      <algorithm>
      <functional>
      <google/protobuf/arena.h>
      <google/protobuf/message.h>
      <grpcpp/grpcpp.h>
      <map>
      <memory>
      <optional>
      <string>
      <variant>
      <vector>
      ${ARGN})
endfunction()
