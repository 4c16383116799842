// Formats any bytes as a policy file. Whatever has a canonical layout says the same in it, formats
// to itself, and keeps its comments.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "policy/document_reader.h"
#include "reeve/policy/format.h"
#include "reeve/policy/test_suite.h"
#include "reeve/policy/yaml_reader.h"

namespace reeve {
namespace {

void Check(bool condition, const std::string& what, const std::string& text) {
  if (condition) return;
  std::fprintf(stderr, "property broken: %s\n%s\n", what.c_str(), text.c_str());
  std::abort();
}

void Append(const std::vector<Pattern>& patterns, std::string* out) {
  for (const Pattern& pattern : patterns)
    absl::StrAppend(out, pattern.kind(), pattern.text(), "\n");
  *out += ";\n";
}

void Append(const std::vector<Condition>& conditions, std::string* out) {
  for (const Condition& condition : conditions) absl::StrAppend(out, condition.text, "\n");
  *out += ";\n";
}

void Append(const TextTemplate& text, std::string* out) {
  absl::StrAppend(out, text.text, "\n");
  for (const TextTemplate::Fact& fact : text.facts) {
    absl::StrAppend(out, fact.at, fact.expression.text, "\n");
  }
}

void Append(const Attributes& attributes, std::string* out) {
  for (const auto& [name, value] : attributes)
    absl::StrAppend(out, name, "=", value.ToString(), "\n");
}

// What the readers make of a file, apart from places; and its comments.
std::string Meaning(const std::string& text) {
  std::vector<Issue> issues;
  const std::optional<YamlDocument> yaml = ReadYaml("f.yaml", text, {}, &issues);
  Check(yaml.has_value(), "what is formatted is YAML", text);
  Documents documents;
  const LoadLimits limits;
  ReadDocument("f.yaml", *yaml, limits, &documents, &issues);
  std::string out;
  for (const Issue& issue : issues) {
    Check(issue.severity != Issue::Severity::kError, "what is formatted is valid", text);
    absl::StrAppend(&out, "warning ", issue.warning, "\n");
  }
  for (const PolicyDocument& policy : documents.policies) {
    absl::StrAppend(&out, policy.name, " ", policy.accepted.size(), "\n");
    for (const auto& role : policy.roles) {
      absl::StrAppend(&out, "role ", role.name, "\n");
      Append(role.members, &out);
      Append(role.when, &out);
    }
    for (const auto& definition : policy.rules) {
      const Rule& rule = definition.rule;
      absl::StrAppend(&out, "rule ", rule.id, rule.effect, rule.shadow, rule.audit, "\n");
      Append(rule.message, &out);
      Append(rule.principals, &out);
      Append(rule.actions, &out);
      Append(rule.resources, &out);
      Append(rule.when, &out);
      for (const Obligation& obligation : rule.obligations) {
        absl::StrAppend(&out, obligation.id, "\n");
        for (const auto& [name, text] : obligation.with) {
          absl::StrAppend(&out, name, "\n");
          Append(text, &out);
        }
      }
    }
  }
  for (const EntitiesDocument& document : documents.entities) {
    for (const auto& [entity, ignored] : document.entities) {
      absl::StrAppend(&out, ToString(entity.id), "\n");
      for (const EntityId& parent : entity.parents) absl::StrAppend(&out, ToString(parent), "\n");
      Append(entity.attributes, &out);
    }
  }
  for (const TestsDocument& document : documents.tests) {
    const TestSuite& suite = document.suite;
    absl::StrAppend(&out, suite.name, document.accepted.size(), "\n");
    for (const auto& [name, principal] : suite.principals) {
      absl::StrAppend(&out, name, ToString(principal.id), principal.assurance, "\n");
      Append(principal.attributes, &out);
    }
    for (const TestCase& one : suite.cases) {
      absl::StrAppend(&out, one.name, one.actions.size(), absl::ToUnixMicros(one.time), "\n");
      for (const TestRequest& request : one.requests) {
        absl::StrAppend(&out, request.principal, " ", request.action, " ", request.resource, " ",
                        request.context, " ", request.expectation, "\n");
      }
    }
  }
  std::vector<std::string> comments;
  for (const YamlComment& comment : yaml->comments()) {
    const std::string_view of = yaml->source().substr(comment.begin, comment.end - comment.begin);
    comments.emplace_back(
        absl::StripTrailingAsciiWhitespace(absl::string_view(of.data(), of.size())));
  }
  std::sort(comments.begin(), comments.end());
  for (const std::string& comment : comments) absl::StrAppend(&out, comment, "\n");
  return out;
}

}  // namespace
}  // namespace reeve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve;  // NOLINT: the entry point is outside
  const std::string text(reinterpret_cast<const char*>(data), size);
  const FormatResult formatted = FormatFile({"f.yaml", text});
  Check(formatted.text.has_value() == formatted.issues.empty(), "a text, or errors", text);
  if (!formatted.text.has_value()) {
    for (const Issue& issue : formatted.issues) {
      Check(issue.message.rfind("cannot be laid out", 0) != 0, "it can be formatted", text);
    }
    return 0;
  }
  const FormatResult again = FormatFile({"f.yaml", *formatted.text});
  Check(again.text.has_value(), "what is formatted is valid", *formatted.text);
  Check(*again.text == *formatted.text, "what is formatted is canonical",
        *formatted.text + "\n----\n" + *again.text);
  Check(Meaning(text) == Meaning(*formatted.text), "it means the same",
        text + "\n----\n" + *formatted.text);
  return 0;
}
