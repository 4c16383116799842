// Short words for tests of cells. What they make lives as long as the program.
#ifndef REEVE_ENGINE_CEL_CELL_TESTING_H_
#define REEVE_ENGINE_CEL_CELL_TESTING_H_

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"

namespace reeve::cel {

// A context with more of everything than a test needs. One thread at a time.
Context& AmpleContext();

Cell ListOf(std::vector<Cell> elements);
// In one go; an error if the entries make no map.
Cell MapOf(const std::vector<std::pair<Cell, Cell>>& entries);
Cell OptionalOf(const Cell& value);
Cell Fact(Value value);
Cell StringsOf(std::vector<std::string> strings);
// `bytes` are 4 or 16 of them.
Cell IpOf(std::initializer_list<uint8_t> bytes);
Cell CidrOf(std::initializer_list<uint8_t> bytes, uint8_t prefix);

// A principal with attributes `name`, `level` and `groups`, which is in itself, `user:ada`, and in
// `group:staff`; whether it is in `group:remote` is not known.
Cell Ada();

// The result of a function as its text, `1u`; what is wrong with the call, if it is.
std::string Call(std::string_view function, const std::vector<Cell>& arguments);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_CELL_TESTING_H_
