// What all kinds of files are read with: mappings with known keys, lists, texts, names.
#ifndef REEVE_POLICY_FIELD_READER_H_
#define REEVE_POLICY_FIELD_READER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/document.h"
#include "policy/file_format.h"
#include "policy/yaml_text.h"
#include "reeve/engine/entity.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load_input.h"
#include "reeve/policy/yaml_document.h"

namespace reeve {

inline constexpr size_t kMaxIssues = 1000;
inline constexpr size_t kMaxPatternBytes = kMaxTypeBytes + 1 + kMaxIdBytes;

// Reads one file. Each Read function reports what is wrong where it stands and returns nothing
// then, so that the rest is read on.
class FieldReader {
 public:
  // `limits` and `issues` must outlive this.
  FieldReader(std::string_view file, const LoadLimits& limits, std::vector<Issue>* issues)
      : file_(file), limits_(limits), issues_(*issues) {}

 protected:
  // The members of a mapping, few as its known keys are.
  struct Fields : std::vector<YamlMember> {
    // Null if it is not there.
    const YamlMember* Find(std::string_view key) const;

    std::vector<std::string_view> misspelt;  // What unknown keys were probably meant to be.
  };

  const std::string& file() const { return file_; }
  const LoadLimits& limits() const { return limits_; }

  // After kMaxIssues of one file no more are kept. `width` is that of Issue.
  void Report(Position position, std::string message, int width = 1) {
    Add({Issue::Severity::kError, file_, position, std::move(message), {}, width});
  }
  void Warn(Position position, Warning warning, std::string message) {
    Add({Issue::Severity::kWarning, file_, position, std::move(message), {}, 1, warning});
  }

  bool HasErrors() const { return errors_ > 0; }
  size_t errors() const { return errors_; }

  // Takes a mapping apart. Reports keys that `mapping` does not have; `what` says in what they
  // stand.
  std::optional<Fields> ReadFields(YamlNode node, const std::string& what,
                                   const ValueFormat& mapping);
  // The value under `key`, if it is there and not null.
  std::optional<YamlNode> Find(const Fields& fields, std::string_view key);
  // The same, and it must be there; else it is missed at `owner`, unless a key that was probably
  // meant to be it has been reported.
  std::optional<YamlNode> Require(const Fields& fields, std::string_view key, YamlNode owner,
                                  const std::string& what);

  // Text that cannot be mistaken for something else, of at most `most` bytes.
  std::optional<std::string_view> ReadText(YamlNode node, std::string_view what, size_t most);
  // Text that names entities or actions, where nobody can see a difference that counts: no spaces
  // at its ends or behind the colon, none but U+0020 inside, and no characters without a mark.
  std::optional<std::string_view> ReadVisibleText(YamlNode node, std::string_view what);
  // DidYouMean(), for the first of the issues only: it takes its time.
  std::string Suggest(std::string_view word, const std::vector<std::string_view>& known);
  // A name of a policy, a rule, a role, an action set or an obligation.
  std::optional<std::string_view> ReadName(YamlNode node, std::string_view what);
  std::optional<bool> ReadBool(YamlNode node, std::string_view what);
  // Checks the text under `description`, which only readers of the file want.
  void CheckDescription(const Fields& fields);
  // Whether `node` is a list that is not empty and not too long. `if_empty` says what to write.
  bool CheckList(YamlNode node, std::string_view what, std::string_view if_empty);

  // Adds the warnings that are accepted under `accept`, by the whole file or by what `owner` is,
  // to *accepted.
  void ReadAccept(const Fields& fields, std::optional<YamlNode> owner,
                  std::vector<AcceptedWarning>* accepted);

 private:
  void Add(Issue issue);

  const std::string file_;
  const LoadLimits& limits_;
  std::vector<Issue>& issues_;
  size_t errors_ = 0;
  size_t reported_ = 0;
  size_t suggested_ = 0;
};

}  // namespace reeve

#endif  // REEVE_POLICY_FIELD_READER_H_
