#include "policy/cel/ast.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace reeve::cel {
namespace {

// The fewest digits that are read back as `value`, and never those of an int.
std::string DoubleText(double value) {
  std::string text;
  for (int digits = 1; digits <= 17; ++digits) {
    text = absl::StrFormat("%.*g", digits, value);
    double back;
    if (absl::SimpleAtod(text, &back) && back == value) break;
  }
  const bool int_like = text.find_first_not_of("-0123456789") == std::string::npos;
  return int_like ? text + ".0" : text;
}

class Printer {
 public:
  explicit Printer(const Ast& ast) : ast_(ast) {}

  void Print(ExprId id) {
    const Expr& expr = ast_[id];
    switch (expr.kind) {
      case ExprKind::kLiteral:
        std::visit(*this, expr.literal);
        break;
      case ExprKind::kIdent:
        PrintName(expr.name, /*whole=*/true);
        break;
      case ExprKind::kSelect:
        if (expr.test_only) out_ += "has(";
        Print(expr.operand);
        out_ += expr.optional ? ".?" : ".";
        PrintName(expr.name, /*whole=*/false);
        if (expr.test_only) out_ += ')';
        break;
      case ExprKind::kCall:
        if (expr.operand != kNoExpr) {
          Print(expr.operand);
          out_ += '.';
          PrintName(expr.name, /*whole=*/false);
        } else if (expr.name[0] == '@' ||
                   expr.name.find_first_not_of("_-!+*/%<>=&|?:[]") == std::string::npos) {
          out_ += expr.name;
        } else {
          PrintName(expr.name, /*whole=*/true);
        }
        PrintArgs(expr, "(", ")");
        break;
      case ExprKind::kList:
        PrintArgs(expr, "[", "]");
        break;
      case ExprKind::kMap:
        PrintArgs(expr, "{", "}");
        break;
      case ExprKind::kComprehension:
        PrintComprehension(*expr.comprehension);
        break;
    }
  }

  void operator()(NullLiteral) { out_ += "null"; }
  void operator()(bool value) { out_ += value ? "true" : "false"; }
  void operator()(int64_t value) { absl::StrAppend(&out_, value); }
  void operator()(uint64_t value) { absl::StrAppend(&out_, value, "u"); }
  void operator()(double value) { out_ += DoubleText(value); }
  void operator()(const std::string& value) {
    absl::StrAppend(&out_, "\"", absl::Utf8SafeCEscape(value), "\"");
  }
  void operator()(const BytesLiteral& value) {
    absl::StrAppend(&out_, "b\"", absl::CEscape(value.bytes), "\"");
  }

  std::string Take() { return std::move(out_); }

 private:
  // Names that need back-quotes get them, so that none looks like several. A whole name may hold
  // dots, and what macros make of names (`@it:0:1`).
  void PrintName(const std::string& name, bool whole) {
    bool plain = true;
    for (const char c : name) {
      plain &= absl::ascii_isalnum(c) || c == '_' || c == '@' || (whole && (c == '.' || c == ':'));
    }
    absl::StrAppend(&out_, plain ? "" : "`", name, plain ? "" : "`");
  }

  // Pairs of a map, and of a message's fields, are `key: value`.
  void PrintArgs(const Expr& expr, const char* open, const char* close) {
    const bool map = expr.kind == ExprKind::kMap;
    const bool message = expr.kind == ExprKind::kCall && expr.name == op::kMessage;
    out_ += open;
    for (size_t i = 0; i < expr.args.size(); ++i) {
      const bool value = map ? i % 2 == 1 : message && i > 0 && i % 2 == 0;
      if (i > 0) out_ += value ? ": " : ", ";
      const size_t entry = map ? i / 2 : message ? (i - 1) / 2 : i;
      const bool marked = !value && !(message && i == 0);
      if (marked && entry < expr.optional_args.size() && expr.optional_args[entry]) out_ += '?';
      Print(expr.args[i]);
    }
    out_ += close;
  }

  void PrintComprehension(const Comprehension& fold) {
    if (fold.step == kNoExpr) {
      absl::StrAppend(&out_, "@bind(", fold.accumulator, ", ");
      Print(fold.init);
    } else {
      out_ += "@fold(";
      Print(fold.range);
      for (const std::string* name : {&fold.variable, &fold.variable2, &fold.accumulator}) {
        if (!name->empty()) absl::StrAppend(&out_, ", ", *name);
      }
      for (const ExprId part : {fold.init, fold.condition, fold.step}) {
        out_ += ", ";
        Print(part);
      }
    }
    out_ += ", ";
    Print(fold.result);
    out_ += ')';
  }

  const Ast& ast_;
  std::string out_;
};

}  // namespace

std::string ToString(const Ast& ast, ExprId id) {
  if (id == kNoExpr) return "";
  Printer printer(ast);
  printer.Print(id);
  return printer.Take();
}

std::string ToString(const Ast& ast) { return ToString(ast, ast.root); }

}  // namespace reeve::cel
