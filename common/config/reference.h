// The description of a program's settings, for people.
#pragma once

#include <string>

#include "common/config/config_parser.h"

namespace kvs {

// What --help prints.
std::string HelpText(const ConfigParser& parser);

// The same as Markdown, for docs/configuration.md.
std::string HelpMarkdown(const ConfigParser& parser);

}  // namespace kvs
