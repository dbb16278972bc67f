# Writes OUTPUT, a C++ source that defines kvs::txn::Migrations() with the files FILES, separated by commas, in the
# order of their numbers.
string(REPLACE "," ";" FILES "${FILES}")
set(texts)
set(entries)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  string(REGEX MATCH "^0*([0-9]+)_" ignored "${name}")
  set(number ${CMAKE_MATCH_1})
  file(READ ${file} hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${hex}")
  string(REPEAT "." 64 line)
  string(REGEX REPLACE "(${line})" "\\1\"\n    \"" bytes "${bytes}")
  string(APPEND texts "constexpr char kText${number}[] =\n    \"${bytes}\";\n")
  string(APPEND entries "    {${number}, \"${name}\", {kText${number}, ${size}}},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"txn_server/log/postgres/schema.h\"

namespace kvs::txn {
namespace {

${texts}
constexpr Migration kMigrations[] = {
${entries}};

}  // namespace

absl::Span<const Migration> Migrations() { return kMigrations; }

}  // namespace kvs::txn
")
