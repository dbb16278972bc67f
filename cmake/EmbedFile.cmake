# Writes OUTPUT, a C++ source that defines kvs::DescriptorSet() with the bytes of the file INPUT.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${hex}")
string(REPEAT "." 64 line)
string(REGEX REPLACE "(${line})" "\\1\"\n    \"" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"proto/descriptor_set.h\"

namespace kvs {
absl::string_view DescriptorSet() {
  static constexpr char kBytes[] =
    \"${bytes}\";
  return {kBytes, sizeof(kBytes) - 1};
}
}  // namespace kvs
")
