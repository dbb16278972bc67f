# Writes OUTPUT, a C++ source that defines kvs::DescriptorSet() with the bytes of the file INPUT.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" escaped "${hex}")
string(REGEX REPLACE "((\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..))" "\\1\"\n\"" escaped "${escaped}")
file(WRITE ${OUTPUT} "#include \"proto/descriptor_set.h\"\n\nnamespace kvs {\nstd::string_view DescriptorSet() {\n  static constexpr char kBytes[] =\n\"${escaped}\";\n  return {kBytes, sizeof(kBytes) - 1};\n}\n}  // namespace kvs\n")
