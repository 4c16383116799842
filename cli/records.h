#ifndef REEVE_CLI_RECORDS_H_
#define REEVE_CLI_RECORDS_H_

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/cli/output.h"
#include "reeve/store/audit_reader.h"

namespace reeve {

// How records are printed.
enum class RecordFormat {
  kText,   // a table for a person
  kJson,   // one document
  kJsonl,  // an object a line
  kCsv,    // RFC 4180
};

// A value under a column. `text` is JSON if it is none that kText says.
struct Cell {
  enum class Kind { kNull, kText, kJson };

  static Cell Text(std::string_view text) { return {Kind::kText, std::string(text)}; }
  static Cell Json(std::string_view json) {
    return json.empty() ? Cell() : Cell{Kind::kJson, std::string(json)};
  }

  Kind kind = Kind::kNull;
  std::string text;
};

// A column of the view `decisions`.
struct RecordColumn {
  const char* name;
  Cell (*cell)(const AuditRow& row);
};

// All columns, in the order in which JSON has them.
const std::vector<RecordColumn>& RecordColumns();

// The columns that `words` name, which commas separate. Nothing, with a message in *error, if one
// is none or stands twice.
std::optional<std::vector<RecordColumn>> FindColumns(std::string_view words, std::string* error);

// `text` as a string of JSON.
std::string JsonString(std::string_view text);

// `number`, as short as tells it from all others; an infinity is null.
std::string JsonNumber(double number);

// {"name":value,…}
std::string JsonObject(const std::vector<std::string>& names, const std::vector<Cell>& row);

// A line of CSV, with its end, CR LF (RFC 4180). What a terminal may obey is escaped as
// Printable() does. A text that a spreadsheet would take for a formula, as it begins with `=`, `+`,
// `-` or `@`, has a `'` before it (owasp.org, CSV Injection).
std::string CsvLine(const std::vector<Cell>& row);

// Prints rows under names.
class RecordPrinter {
 public:
  // `list` is the name of the rows in a document of JSON. With `whole`, so many columns of a table
  // are never cut.
  RecordPrinter(std::FILE* out, RecordFormat format, const char* list,
                std::vector<std::string> names, size_t whole = 0);

  void Print(const std::vector<Cell>& row);
  // `more`: members of a document of JSON behind the rows, such as `,"next":null`.
  void Finish(std::string_view more = "");

 private:
  std::FILE* const out_;
  const RecordFormat format_;
  const char* const list_;
  const std::vector<std::string> names_;
  Table table_;
  size_t rows_ = 0;
};

// Columns of a table for a person, which fit the terminal: what a record is about.
std::vector<std::string> SummaryNames(bool narrow);
std::vector<Cell> SummaryOf(const AuditRow& row, bool narrow);
// Where there is little room the time is cut to the second, and the reason goes: it says again what
// was decided.
bool IsNarrow();

// The cells of `columns`.
std::vector<Cell> CellsOf(const AuditRow& row, const std::vector<RecordColumn>& columns);

}  // namespace reeve

#endif  // REEVE_CLI_RECORDS_H_
