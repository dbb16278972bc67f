# How kvs targets are compiled. Every folder is one library made by kvs_library, with the folders that it may include
# named as its dependencies: includes point downwards only because nothing else is on the include path of the linker.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

set(KVS_SANITIZE "" CACHE STRING "Sanitizers to build with, such as address,undefined")

add_library(kvs_options INTERFACE)
target_include_directories(kvs_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(kvs_options INTERFACE -Wall -Wextra -Wswitch -Werror -Wno-missing-field-initializers)
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

# kvs_library(NAME SOURCES... DEPS...): a static library. GRPC says that its sources include gRPC headers: they share
# one precompiled header, which halves the time of a clean build.
function(kvs_library name)
  cmake_parse_arguments(ARG "GRPC" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE kvs_options)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  if(ARG_GRPC)
    kvs_use_grpc_pch(${name})
  endif()
endfunction()

# kvs_executable(NAME SOURCES... DEPS...): a program in bin/.
function(kvs_executable name)
  cmake_parse_arguments(ARG "GRPC" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} kvs_options)
  if(ARG_GRPC)
    kvs_use_grpc_pch(${name})
  endif()
  if(KVS_SANITIZE)
    target_link_libraries(${name} PRIVATE kvs_sanitizer_options)
  endif()
endfunction()

# kvs_add_grpc_pch(NAME): the slow headers that most sources need, compiled once, for targets whose sources include gRPC
# headers and which have the same compile options. Sources still include what they use. Named here rather than in a
# header of ours, so that no absolute path gets into the precompiled file and ccache can share it between checkouts.
function(kvs_add_grpc_pch name)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  file(WRITE ${source} "")
  add_library(${name} OBJECT ${source})
  target_link_libraries(${name} PRIVATE gRPC::grpc++ protobuf::libprotobuf Threads::Threads)
  target_precompile_headers(
    ${name}
    PRIVATE
      <absl/functional/any_invocable.h>
      <absl/status/statusor.h>
      <absl/strings/str_cat.h>
      <google/protobuf/arena.h>
      <google/protobuf/message.h>
      <grpcpp/grpcpp.h>
      <memory>
      <string>
      <vector>)
endfunction()

# kvs_use_grpc_pch(NAME [PCH])
function(kvs_use_grpc_pch name)
  set(pch ${ARGN} kvs_grpc_pch)
  list(GET pch 0 pch)
  target_precompile_headers(${name} REUSE_FROM ${pch})
endfunction()
