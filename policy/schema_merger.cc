#include "policy/schema_merger.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/text.h"
#include "reeve/policy/spelling.h"

namespace reeve {
namespace {

struct Place {
  const std::string* file;
  Position position;
};

std::string ToString(const Place& place, const Place& seen_from) {
  return absl::StrCat(*place.file == *seen_from.file ? "" : absl::StrCat(*place.file, ":"),
                      place.position.line, ":", place.position.column);
}

std::string ToString(const SchemaField& field) {
  return absl::StrCat("`", reeve::ToString(field.type), field.required ? "`" : "`, not required");
}

// A name with all that is said of it.
struct MergedField {
  SchemaField field;
  Place place;
};
using Fields = std::map<std::string, MergedField>;

using Names = std::map<std::string, Place>;  // The first of each.

struct MergedType {
  Names parents;
  Fields attributes;
  bool open = false;
};
struct MergedAction {
  Names principals;
  Names resources;
  Fields context;
};

class Merger {
 public:
  explicit Merger(std::vector<Issue>* issues) : issues_(*issues) {}

  std::optional<Schema> Run(const std::vector<SchemaDocument>& documents) {
    for (const SchemaDocument& document : documents) Add(document);
    CheckNames();
    CheckCounts(documents);
    if (failed_) return std::nullopt;
    return Result();
  }

 private:
  void Fail(const Place& place, std::string message) {
    failed_ = true;
    issues_.push_back({Issue::Severity::kError, *place.file, place.position, std::move(message)});
  }

  void Add(const SchemaDocument& document) {
    const Place place = {&document.file, document.name.position};
    const auto [first, is_new] = schemas_.try_emplace(document.name.name, place);
    if (!is_new) {
      Fail(place, absl::StrCat("schema `", document.name.name, "` is defined twice; first at ",
                               ToString(first->second, place)));
    }
    for (const SchemaDocument::EntityType& type : document.entities) {
      MergedType& merged = types_[type.name.name];
      AddNames(document, type.parents, &merged.parents);
      AddFields(document, absl::StrCat("`", type.name.name, "`"), type.attributes,
                &merged.attributes);
      merged.open |= type.open;
    }
    for (const SchemaDocument::Action& action : document.actions) {
      MergedAction& merged = actions_[action.name.name];
      AddNames(document, action.principals, &merged.principals);
      AddNames(document, action.resources, &merged.resources);
      AddFields(document, absl::StrCat("the context of `", Printable(action.name.name), "`"),
                action.context, &merged.context);
    }
    AddFields(document, "the context", document.context, &context_);
  }

  static void AddNames(const SchemaDocument& document,
                       const std::vector<SchemaDocument::Name>& names, Names* merged) {
    for (const SchemaDocument::Name& name : names) {
      merged->try_emplace(name.name, Place{&document.file, name.position});
    }
  }

  void AddFields(const SchemaDocument& document, const std::string& what,
                 const std::vector<SchemaDocument::Field>& fields, Fields* merged) {
    for (const SchemaDocument::Field& field : fields) {
      const Place place = {&document.file, field.position};
      const auto [first, is_new] =
          merged->try_emplace(field.field.name, MergedField{field.field, place});
      if (!is_new) CheckSame(what, first->second, {field.field, place});
    }
  }

  // Both places are told.
  void CheckSame(const std::string& what, const MergedField& a, const MergedField& b) {
    if (a.field == b.field) return;
    for (const auto& [here, there] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      Fail(here->place,
           absl::StrCat("`", Printable(here->field.name), "` of ", what, " is ",
                        ToString(here->field), " here and ", ToString(there->field), " at ",
                        ToString(there->place, here->place), "; make them the same"));
    }
  }

  void CheckNames() {
    std::vector<std::string_view> known;
    for (const auto& [name, type] : types_) known.push_back(name);
    known.push_back(Principal::kAnonymousType);
    const auto check = [&](const Names& names, std::string_view word) {
      for (const auto& [name, place] : names) {
        if (name == word || std::find(known.begin(), known.end(), name) != known.end()) continue;
        std::vector<std::string_view> words = known;
        if (!word.empty()) words.push_back(word);
        Fail(place, absl::StrCat("entity type `", Printable(name), "` is not declared",
                                 DidYouMean(name, words)));
      }
    };
    for (const auto& [name, type] : types_) check(type.parents, "");
    for (const auto& [name, action] : actions_) {
      check(action.principals, "anyone");
      check(action.resources, "any");
      for (const auto& [field_name, field] : action.context) {
        const auto common = context_.find(field_name);
        if (common == context_.end()) continue;
        CheckSame(absl::StrCat("the context of `", Printable(name), "`"), common->second, field);
      }
      for (const auto& [type_name, type] : types_) {
        if (action.principals.count("anyone") + action.principals.count(type_name) == 0) continue;
        for (const auto& [attribute, field] : type.attributes) {
          if (!IsReservedForPrincipals(attribute) ||
              !reserved_.insert({type_name, attribute}).second) {
            continue;
          }
          Fail(field.place,
               absl::StrCat("`", attribute, "` is reserved for principals, and `", Printable(name),
                            "` is for `", type_name, "`; give the attribute another name"));
        }
      }
    }
  }

  void CheckCounts(const std::vector<SchemaDocument>& documents) {
    const Place place = {&documents[0].file, documents[0].name.position};
    if (types_.empty()) {
      Fail(place, "no schema of the set declares entity types; write them under `entities`");
    }
    if (actions_.empty()) {
      Fail(place, "no schema of the set declares actions; write them under `actions`");
    }
    if (types_.size() > kMaxSchemaTypes || actions_.size() > kMaxSchemaActions) {
      Fail(place, absl::StrCat("the schemas of the set declare more than ", kMaxSchemaTypes,
                               " entity types or ", kMaxSchemaActions, " actions"));
    }
  }

  static std::vector<SchemaField> ToList(const Fields& fields) {
    std::vector<SchemaField> list;
    for (const auto& [name, merged] : fields) list.push_back(merged.field);
    return list;
  }

  std::vector<std::string> ToList(const Names& names, const char* word) const {
    std::vector<std::string> list;
    if (names.count(word) == 0) {
      for (const auto& [name, place] : names) list.push_back(name);
    } else {
      for (const auto& [name, type] : types_) list.push_back(name);
    }
    return list;
  }

  Schema Result() const {
    Schema schema;
    for (const auto& [name, type] : types_) {
      schema.entities.push_back(
          {name, ToList(type.parents, ""), ToList(type.attributes), type.open});
    }
    for (const auto& [name, action] : actions_) {
      Fields own = action.context;
      // The same for every action and for this one is said once.
      for (const auto& [field, merged] : context_) own.erase(field);
      schema.actions.push_back({name, ToList(action.principals, "anyone"),
                                ToList(action.resources, "any"), ToList(own)});
    }
    schema.context = ToList(context_);
    return schema;
  }

  std::vector<Issue>& issues_;
  bool failed_ = false;
  std::map<std::string, Place> schemas_;
  std::map<std::string, MergedType> types_;
  std::map<std::string, MergedAction> actions_;
  Fields context_;
  std::set<std::pair<std::string, std::string>> reserved_;  // Reported.
};

}  // namespace

std::optional<Schema> MergeSchemas(const std::vector<SchemaDocument>& documents,
                                   std::vector<Issue>* issues) {
  return Merger(issues).Run(documents);
}

}  // namespace reeve
