// The command line and the files of the temperature example. Nothing here is about rein.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#ifndef REIN_EXAMPLE_DATA_DIR
#define REIN_EXAMPLE_DATA_DIR "examples/data"
#endif

inline constexpr const char* usage =
    R"(usage: temperature [OPTION VALUE]...

Shows what the weight constraint MaxNorm does, in a small example and in training on real
temperatures.

  --data FILE          temperatures: CSV with a header line (New York, summer of 1973)
  --column NAME        the column to read (the only one with "temp" in its name)
  --unit F|C           its unit (F or C, if its name ends in _f or _c)
  --threshold CELSIUS  a day above it is hot (30)
  --limit NORM         the largest norm of the weights in training (1)
  --csv FILE           also write the learning curves, as CSV
  --help
)";

struct Options {
  std::string data, column, unit, csv;
  double threshold, limit;
};

[[noreturn]] inline void fail(const std::string& message) { throw std::runtime_error(message); }

[[noreturn]] inline void fail(const std::string& file, const std::string& message) {
  fail("'" + file + "': " + message);
}

inline std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// A finite decimal number and nothing else: no blanks, no hexadecimal, nothing after it.
inline std::optional<double> number(const std::string& text) {
  if (text.empty() || text.find_first_not_of("+-.0123456789eE") != text.npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return *end == '\0' && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

inline Options parse(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> values{{"--data", REIN_EXAMPLE_DATA_DIR "/laguardia_1973.csv"},
                                            {"--column", ""},
                                            {"--unit", ""},
                                            {"--threshold", "30"},
                                            {"--limit", "1"},
                                            {"--csv", ""}};
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const auto option = values.find(arguments[i]);
    if (option == values.end()) fail("unknown option '" + arguments[i] + "'; see --help");
    if (i + 1 == arguments.size() || arguments[i + 1].empty() ||
        values.contains(arguments[i + 1])) {
      fail(option->first + " needs a value");
    }
    option->second = arguments[i + 1];
  }

  const auto numeric = [&](const char* option, double least, const char* rule) {
    const auto value = number(values[option]);
    if (!value || *value < least) {
      fail(std::string(option) + " is '" + values[option] + "'; it must be " + rule);
    }
    return *value;
  };
  const std::string unit = lower_case(values["--unit"]);
  if (!unit.empty() && unit != "f" && unit != "c") {
    fail("--unit is '" + values["--unit"] + "'; it must be F or C");
  }
  std::error_code missing;
  if (std::filesystem::equivalent(values["--csv"], values["--data"], missing)) {
    fail("--csv is '" + values["--csv"] + "'; it must not be the data");
  }
  return {values["--data"],
          values["--column"],
          unit,
          values["--csv"],
          numeric("--threshold", -HUGE_VAL, "a finite number"),
          numeric("--limit", 0, "a finite number >= 0")};
}

// The cells of a line of CSV, without the blanks around them. Quotes may enclose a comma.
inline std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> result(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      result.emplace_back();
    } else {
      result.back() += c;
    }
  }
  for (std::string& cell : result) {
    const auto first = cell.find_first_not_of(" \t\r");
    const auto last = cell.find_last_not_of(" \t\r");
    cell = first == cell.npos ? "" : cell.substr(first, last + 1 - first);
  }
  return result;
}

// Which cell of a row is the temperature, and whether in degrees Fahrenheit.
struct TemperatureColumn {
  std::size_t index;
  bool fahrenheit;
};

inline TemperatureColumn find_column(const std::vector<std::string>& header,
                                     const Options& options) {
  const auto wanted = [&](const std::string& name) {
    return options.column.empty() ? lower_case(name).find("temp") != name.npos
                                  : name == options.column;
  };
  const auto count = std::count_if(header.begin(), header.end(), wanted);
  if (count != 1) {
    fail(options.data, std::to_string(count) + " columns " +
                           (options.column.empty() ? "have \"temp\" in their name"
                                                   : "are named '" + options.column + "'") +
                           "; it must be 1" +
                           (options.column.empty() ? " (--column NAME chooses)" : ""));
  }
  const auto column = std::find_if(header.begin(), header.end(), wanted);
  const std::string name = lower_case(*column);
  if (options.unit.empty() && !name.ends_with("_f") && !name.ends_with("_c")) {
    fail(options.data, "the unit of column '" + *column + "' is unknown; give --unit F or C");
  }
  return {static_cast<std::size_t>(column - header.begin()),
          options.unit.empty() ? name.ends_with("_f") : options.unit == "f"};
}

// The temperatures in degrees Celsius. Missing ones (an empty cell, NA, ...) are left out.
inline std::vector<double> read_celsius(const Options& options) {
  std::ifstream file(options.data);
  if (!file) fail(options.data, "cannot be read");

  std::vector<double> celsius;
  std::optional<TemperatureColumn> column;
  std::string line;
  for (int line_number = 1; std::getline(file, line); ++line_number) {
    if (line_number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // byte order mark
    const std::vector<std::string> row = cells(line);
    if (row.size() == 1 && row[0].empty()) continue;
    if (!column) {
      column = find_column(row, options);
      continue;
    }
    const std::string cell = column->index < row.size() ? row[column->index] : "";
    const std::array missing{"", "-", "na", "n/a", "nan", "null"};
    if (std::find(missing.begin(), missing.end(), lower_case(cell)) != missing.end()) continue;

    const double value = number(cell).value_or(NAN);
    const double degrees = column->fahrenheit ? (value - 32) / 1.8 : value;
    if (!(degrees >= -273.15 && degrees < 1e6)) {  // -9999 marks a missing value in some files
      fail(options.data,
           "line " + std::to_string(line_number) + ": '" + cell + "' is not a temperature");
    }
    celsius.push_back(degrees);
  }
  if (file.bad()) fail(options.data, "cannot be read");
  if (celsius.size() < 10) {
    fail(options.data,
         "has " + std::to_string(celsius.size()) + " temperatures; it must have at least 10");
  }
  return celsius;
}

// The whole file appears under its name, or nothing does.
inline void write_file(const std::string& name, const std::string& text) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(name, error) && !fs::is_regular_file(name, error)) fail(name, "is not a file");
  const std::string partial = name + ".partial";
  std::ofstream file(partial, std::ios::binary);
  file << text;
  file.close();
  if (file) fs::rename(partial, name, error);
  if (!file || error) {
    std::error_code ignored;
    fs::remove(partial, ignored);
    fail(name, "cannot be written");
  }
}
