#include "policy/conditions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "policy/cel/parser.h"
#include "policy/cel/type.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/cel/program_encoding.h"
#include "reeve/engine/encoding.h"

namespace reeve {
namespace {

using cel::Type;
using cel::TypeKind;

constexpr std::string_view kVariables[] = {"principal", "action", "resource", "context"};

// Parses and checks; nothing if there are errors.
std::optional<cel::CheckedExpr> Read(std::string_view text, const cel::Environment& environment,
                                     std::vector<cel::Defect>* errors) {
  std::optional<cel::Ast> ast = cel::Parse(text, {}, errors);
  if (!ast.has_value()) return std::nullopt;
  return cel::Check(*std::move(ast), environment, {}, errors);
}

// Names may use others twice, which use others twice.
constexpr size_t kMaxExpandedNodes = 1'000'000;

bool CanBeBool(const Type& type) {
  return type.kind == TypeKind::kBool || type.kind == TypeKind::kDyn;
}

// What the bytes of programs begin with that were compiled with these schemas.
std::string HeadOf(std::string_view schemas) {
  std::string head(1, static_cast<char>(cel::kProgramFormat));
  AppendSized(schemas, &head);
  return head;
}

template <typename List>
bool Contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

}  // namespace

Conditions::Conditions(std::string scope, const SchemaScope* schema)
    : scope_(std::move(scope)), schema_(schema) {
  environment_.AddVariable("action", Type::Of(TypeKind::kString));
  if (schema != nullptr) {
    Reach reach = schema->Everything();
    schema->Narrow(&reach);
    schema->Declare(reach, &environment_);
    return;
  }
  const Type attributes = Type::Map(Type::Of(TypeKind::kString), Type::Dyn());
  environment_.AddVariable("principal", attributes);
  environment_.AddVariable("resource", attributes);
  environment_.AddVariable("context", attributes);
  for (const char* field : {"type", "id", "name", "assurance", "via", "host", "actor"}) {
    environment_.AddField("principal", field, Type::Of(TypeKind::kString));
  }
  for (const char* field : {"groups", "roles"}) {
    environment_.AddField("principal", field, Type::List(Type::Of(TypeKind::kString)));
  }
  for (const char* field : {"type", "id", "name"}) {
    environment_.AddField("resource", field, Type::Of(TypeKind::kString));
  }
  environment_.AddField("context", "time", Type::Of(TypeKind::kTimestamp));
}

void Conditions::SetReach(const Reach& reach) {
  auto found = scoped_.find(reach);
  if (found == scoped_.end()) {
    Scoped scoped = {static_cast<uint32_t>(scoped_.size() + 1), environment_, {}};
    schema_->Declare(reach, &scoped.environment);
    found = scoped_.emplace(reach, std::move(scoped)).first;
  }
  reach_ = &found->second;
}

std::string Conditions::DefectOfNamed(const std::string& name) {
  if (reach_ == nullptr) return {};
  std::vector<std::string> to_check = {name};
  while (!to_check.empty()) {
    const std::string next = std::move(to_check.back());
    to_check.pop_back();
    const auto [found, is_new] = reach_->defects.try_emplace(next);
    if (is_new) {
      std::vector<cel::Defect> errors;
      Read(texts_[next], reach_->environment, &errors);
      if (!errors.empty()) found->second = errors[0].message;
      FindNamed(named_.find(next)->second.ast, &to_check);
    }
    if (!found->second.empty()) return found->second;
  }
  return {};
}

bool Conditions::IsTaken(std::string_view name) const {
  std::vector<cel::Defect> ignored;
  std::optional<cel::Ast> ast = cel::Parse(name, {}, &ignored);
  if (!ast.has_value()) return true;
  // A name, and nothing around it: no dot, quote, blank or comment.
  const cel::Expr& root = (*ast)[ast->root];
  if (root.kind != cel::ExprKind::kIdent || root.name != name || name.front() == '.') return true;
  return Contains(kVariables, name) ||
         cel::Check(*std::move(ast), cel::Environment::Standard(), {}, &ignored).has_value();
}

void Conditions::AddUnreadable(const std::string& name) {
  environment_.AddVariable(name, Type::Dyn());
}

bool Conditions::AddNamed(const std::string& name, std::string_view text,
                          std::vector<std::string>* used, ConditionDefects* defects) {
  std::optional<cel::CheckedExpr> checked = Read(text, environment_, &defects->errors);
  if (checked.has_value()) {
    std::vector<std::string> uses;
    FindNamed(checked->ast, &uses);
    used->insert(used->end(), uses.begin(), uses.end());
    const std::optional<size_t> size = Expand(checked->ast, uses, &defects->errors);
    // Compiled for its errors only; conditions carry their own copy.
    const cel::CompileOptions options = {&named_, scope_, nullptr};
    if (!size.has_value() ||
        cel::Compile(*checked, options, &defects->errors, &defects->errors) == nullptr) {
      checked.reset();
    } else {
      sizes_[name] = *size;
    }
  }
  environment_.AddVariable(name, checked.has_value() ? checked->type() : Type::Dyn());
  if (!checked.has_value()) return false;
  named_.insert_or_assign(name, *std::move(checked));
  texts_[name] = text;
  return true;
}

void Conditions::FindNamed(const cel::Ast& ast, std::vector<std::string>* used) const {
  for (const cel::Expr& expr : ast.nodes) {
    if (expr.kind == cel::ExprKind::kIdent && named_.count(expr.name) > 0) {
      used->push_back(expr.name);
    }
  }
}

std::optional<size_t> Conditions::Expand(const cel::Ast& ast, const std::vector<std::string>& used,
                                         std::vector<cel::Defect>* errors) {
  size_t size = ast.nodes.size();
  for (const std::string& name : used) size += sizes_[name];
  const cel::SourceRange place = ast[ast.root].place;
  if (size > cel::kMaxInstructions) {
    errors->push_back({place, "the expression is too large, with the named ones that it uses"});
    return std::nullopt;
  }
  if (expanded_ > kMaxExpandedNodes) return std::nullopt;  // reported
  expanded_ += size - ast.nodes.size();
  if (expanded_ > kMaxExpandedNodes) {
    errors->push_back(
        {place,
         absl::StrCat("the names under `let` of this file stand for more than ", kMaxExpandedNodes,
                      " operations in all; write simpler expressions, or "
                      "several files")});
    return std::nullopt;
  }
  return size;
}

Conditions::Compiled Conditions::Compile(Kind kind, std::string_view text,
                                         const std::vector<std::string>& bindings) {
  Compiled result;
  std::vector<cel::Defect>& errors = result.defects.errors;
  std::optional<cel::CheckedExpr> checked;
  const cel::Environment& scope = reach_ == nullptr ? environment_ : reach_->environment;
  if (bindings.empty()) {
    checked = Read(text, scope, &errors);
  } else {
    cel::Environment environment = scope;
    for (const std::string& name : bindings) {
      environment.AddVariable(name, Type::Of(TypeKind::kString));
    }
    checked = Read(text, environment, &errors);
  }
  if (!checked.has_value()) return result;
  FindNamed(checked->ast, &result.used);
  for (const std::string& name : result.used) {
    const std::string defect = DefectOfNamed(name);
    if (defect.empty()) continue;
    errors.push_back({checked->ast[checked->ast.root].place,
                      absl::StrCat("`", name, "` cannot be used here: ", defect)});
    return result;
  }
  if (kind == Kind::kClause) result.defects.may_be_missing = checked->may_be_missing;
  if (kind == Kind::kClause && !CanBeBool(checked->type())) {
    errors.push_back({checked->ast[checked->ast.root].place,
                      absl::StrCat("the condition is of type ", cel::ToString(checked->type()),
                                   "; it must be true or false")});
    return result;
  }
  if (!Expand(checked->ast, result.used, &errors).has_value()) return result;
  const cel::CompileOptions options = {&named_, scope_, &bindings};
  std::shared_ptr<const cel::Program> program = cel::Compile(*checked, options, &errors, &errors);
  if (program != nullptr) result.condition = {std::string(text), ShareShape(std::move(program))};
  return result;
}

std::shared_ptr<const cel::Program> Conditions::ShareShape(
    std::shared_ptr<const cel::Program> program) {
  for (const std::shared_ptr<const cel::Program>& recent : recent_) {
    if (recent == nullptr || !recent->shape().IsLike(program->shape())) continue;
    auto shared = cel::Program::MakeLike(*recent, program->constants());
    if (shared != nullptr) return shared;
  }
  recent_[next_recent_++ % recent_.size()] = program;
  return program;
}

std::optional<Condition> Conditions::Compile(std::string_view text,
                                             const std::vector<std::string>& bindings,
                                             std::vector<std::string>* used,
                                             ConditionDefects* defects) {
  return Compile(Kind::kClause, text, bindings, used, defects);
}

std::optional<Condition> Conditions::CompileFact(std::string_view text,
                                                 const std::vector<std::string>& bindings,
                                                 std::vector<std::string>* used,
                                                 ConditionDefects* defects) {
  constexpr std::string_view kBefore = "string(";
  // Behind a comment that `text` may end with.
  const std::string whole = absl::StrCat(kBefore.data(), std::string(text), "\n)");
  // On its own first, so that it cannot close the bracket.
  if (!cel::Parse(text, {}, &defects->errors).has_value()) return std::nullopt;
  const size_t before = defects->errors.size();
  std::optional<Condition> fact = Compile(Kind::kFact, whole, bindings, used, defects);
  const auto within = [&](size_t at) {
    const size_t end = kBefore.size() + text.size();
    return static_cast<uint32_t>(std::clamp(at, kBefore.size(), end) - kBefore.size());
  };
  for (size_t i = before; i < defects->errors.size(); ++i) {
    cel::SourceRange& place = defects->errors[i].place;
    place = {within(place.begin), within(place.end)};
  }
  if (fact.has_value()) fact->text = std::string(text);
  return fact;
}

std::string Conditions::Export(std::string_view schemas) const {
  std::vector<const std::pair<const Key, Compiled>*> sorted;
  for (const auto& entry : compiled_) {
    if (entry.second.condition.has_value()) sorted.push_back(&entry);
  }
  if (sorted.empty()) return {};
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  std::string bytes = HeadOf(schemas);
  const auto append_all = [&bytes](const std::vector<std::string>& texts) {
    AppendVarint(texts.size(), &bytes);
    for (const std::string& text : texts) AppendSized(text, &bytes);
  };
  for (const auto* entry : sorted) {
    const auto& [key, compiled] = *entry;
    bytes += static_cast<char>(key.kind);
    AppendVarint(key.reach, &bytes);
    append_all(key.bindings);
    AppendSized(key.text, &bytes);
    append_all(compiled.used);
    cel::AppendProgram(*compiled.condition->program, &bytes);
  }
  return bytes;
}

bool Conditions::CanImport(std::string_view bytes, std::string_view schemas) {
  const std::string head = HeadOf(schemas);
  return bytes.substr(0, head.size()) == head;
}

bool Conditions::Import(std::string_view bytes, std::string_view schemas) {
  if (!CanImport(bytes, schemas)) return true;
  ByteReader reader(bytes.substr(HeadOf(schemas).size()));
  const auto read_all = [&reader](std::vector<std::string>* texts) {
    uint64_t count = 0;
    if (!reader.Number(reader.rest(), &count)) return false;
    for (; count > 0; --count) {
      std::string_view text;
      if (!reader.Sized(reader.rest(), &text)) return false;
      texts->emplace_back(text);
    }
    return true;
  };
  cel::ProgramDecoder decoder;
  size_t regex_steps = 0;
  Key last = {};
  while (reader.ok() && reader.rest() > 0) {
    uint8_t kind = 0;
    uint64_t reach = 0;
    std::string_view text;
    Key key = {};
    Compiled compiled;
    if (!reader.Byte(&kind) || kind > static_cast<uint8_t>(Kind::kFact) ||
        !reader.Number(UINT32_MAX, &reach) || !read_all(&key.bindings) ||
        !reader.Sized(reader.rest(), &text) || !read_all(&compiled.used)) {
      return false;
    }
    key.kind = static_cast<Kind>(kind);
    key.reach = static_cast<uint32_t>(reach);
    key.text = text;
    auto program = decoder.Decode(&reader);
    if (!program.ok() || (!compiled_.empty() && !(last < key))) return false;
    for (uint32_t i = 0; i < (*program)->variable_count(); ++i) {
      const std::string_view name = (*program)->variable(i);
      if (!Contains(kVariables, name) && !Contains(key.bindings, name)) return false;
    }
    for (const cel::CompiledRegex& regex : (*program)->regexes()) {
      regex_steps += regex.regex->steps();
    }
    if (regex_steps > kMaxRegexSteps) return false;
    compiled.condition = {std::string(text), *std::move(program)};
    last = key;
    compiled_.emplace(std::move(key), std::move(compiled));
  }
  return reader.ok();
}

bool Conditions::ReadsRoles(const Condition& condition) {
  const cel::Program& program = *condition.program;
  const absl::Span<const cel::Path> paths = program.paths();
  return std::any_of(paths.begin(), paths.end(), [&program](const cel::Path& path) {
    return program.variable(path.variable) == "principal" &&
           program.names(path)[0].text() == "roles";
  });
}

std::optional<Condition> Conditions::Compile(Kind kind, std::string_view text,
                                             const std::vector<std::string>& bindings,
                                             std::vector<std::string>* used,
                                             ConditionDefects* defects) {
  Key key = {kind, reach_ == nullptr ? 0 : reach_->number, bindings, std::string(text)};
  const auto [known, is_new] = compiled_.try_emplace(std::move(key));
  if (is_new) known->second = Compile(kind, text, bindings);
  const Compiled& compiled = known->second;
  used->insert(used->end(), compiled.used.begin(), compiled.used.end());
  defects->errors.insert(defects->errors.end(), compiled.defects.errors.begin(),
                         compiled.defects.errors.end());
  defects->may_be_missing.insert(defects->may_be_missing.end(),
                                 compiled.defects.may_be_missing.begin(),
                                 compiled.defects.may_be_missing.end());
  return compiled.condition;
}

}  // namespace reeve
