#ifndef REEVE_STORE_JSON_H_
#define REEVE_STORE_JSON_H_

#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/value.h"
#include "reeve/store/segment.h"

namespace reeve {

// JSON for people and for SQL: one line, safe on a terminal (control and hidden characters stand as
// \uNNNN), and not made to be read back exactly: segments keep what is exact.

// ["a","b"]. Requires valid UTF-8.
std::string ToJson(const std::vector<std::string_view>& texts);

// [{"rule":id,"clause":text,"outcome":"true"}], one for each clause; null for a text that was left
// out. Requires valid UTF-8.
std::string ClausesToJson(const std::vector<RecordedRule>& rules);

// {"name":value}. Requires what DefectOf(attributes) asks. What JSON has no form for stands as a
// string: bytes in Base64, timestamps as in RFC 3339, durations as "90s", NaN and the infinities.
std::string ToJson(const Attributes& attributes);

}  // namespace reeve

#endif  // REEVE_STORE_JSON_H_
