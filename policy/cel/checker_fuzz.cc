// Checks any bytes as an expression, with and without types. Whatever passes has a type for each
// node and prints; whatever does not has a defect, in one line.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "policy/cel/checker.h"
#include "policy/cel/parser.h"

namespace reeve::cel {
namespace {

void Expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "property broken: %s\n", what);
  std::abort();
}

const Environment& FuzzEnvironment() {
  static const Environment* const environment = [] {
    auto* made = new Environment;
    for (const char* row :
         {"b:bool", "i:int", "u:uint", "d:double", "s:string", "by:bytes", "t:timestamp",
          "du:duration", "l:list(int)", "m:map(string, int)", "a.b.c:string", "x.y.a:int", "y:dyn",
          "o:optional_type(list(int))", "p:map(string, dyn)", "n:null"}) {
      const std::string_view text = row;
      const size_t colon = text.find(':');
      made->AddVariable(std::string(text.substr(0, colon)), *ParseType(text.substr(colon + 1)));
    }
    made->SetContainer("x.y");
    return made;
  }();
  return *environment;
}

void CheckOnce(const Ast& ast, size_t size, bool check_types) {
  CheckOptions options;
  options.check_types = check_types;
  std::vector<Defect> defects;
  const auto checked = Check(ast, FuzzEnvironment(), options, &defects);
  Expect(checked.has_value() == defects.empty(), "an expression passes if it has no defect");
  for (const Defect& defect : defects) {
    Expect(defect.place.begin <= defect.place.end && defect.place.end <= size,
           "a defect lies in the source");
    for (const char c : defect.message) Expect(c >= 0x20 && c < 0x7F, "a defect is one line");
  }
  if (!checked) return;
  Expect(checked->type_numbers.size() == checked->ast.nodes.size(), "each node has a type");
  Expect(checked->is_type.size() == checked->ast.nodes.size(), "each node is a type or is not");
  Expect(checked->type().kind != TypeKind::kError, "what passes has a type");
  Expect(!ToString(*checked).empty(), "it prints");
}

}  // namespace
}  // namespace reeve::cel

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve::cel;  // NOLINT: the entry point is outside
  std::vector<Defect> defects;
  const auto ast = Parse({reinterpret_cast<const char*>(data), size}, {}, &defects);
  if (!ast) return 0;
  CheckOnce(*ast, size, true);
  CheckOnce(*ast, size, false);
  return 0;
}
