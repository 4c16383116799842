#include "reeve/policy/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <memory>
#include <streambuf>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/policy/yaml_scanner.h"
#include "reeve/policy/yaml_tree.h"

namespace reeve {
namespace {

// Lets a std::istream read a string without a copy.
class StringViewBuffer : public std::streambuf {
 public:
  explicit StringViewBuffer(std::string_view text) {
    // streambuf wants pointers to non-const, but the get area is only read.
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

// Follows the events of yaml-cpp through a YamlTree, and stops at the first that does not fit.
class TreeComparer : public YAML::EventHandler {
 public:
  // Thrown through yaml-cpp, which has no other way to stop. `offset` is into the source.
  struct Mismatch {
    size_t offset;
  };

  explicit TreeComparer(const YamlTree& tree) : tree_(tree) {}

  // Whether all nodes have been seen. An empty file has no events; its tree is one absent node.
  bool Complete() const {
    if (documents_ == 0) return tree_.nodes.size() == 1 && tree_.nodes[0].size == 0 && IsNull(0);
    return documents_ == 1 && open_.empty() && next_ == tree_.nodes.size();
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) Stop(mark);
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    const YamlTreeNode& node = Next(mark);
    if (!tree_.IsNull(node)) throw Mismatch{node.begin};
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { Stop(mark); }
  void OnAnchor(const YAML::Mark& mark, const std::string& /*name*/) override { Stop(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    const YamlTreeNode& node = Next(mark);
    // yaml-cpp's tag is "?" for plain scalars and "!" for others.
    const bool plain = tag == "?";
    if (!node.IsScalar() || plain != (node.type == YamlTreeNode::kPlain) ||
        node.begin != static_cast<size_t>(mark.pos) || tree_.Text(node) != value) {
      throw Mismatch{node.begin};
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    Start(mark, YamlTreeNode::kSequence);
  }
  void OnSequenceEnd() override { End(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    Start(mark, YamlTreeNode::kMapping);
  }
  void OnMapEnd() override { End(); }

 private:
  [[noreturn]] static void Stop(const YAML::Mark& mark) {
    throw Mismatch{static_cast<size_t>(std::max(mark.pos, 0))};
  }
  const YamlTreeNode& Next(const YAML::Mark& mark) {
    if (next_ == tree_.nodes.size()) Stop(mark);
    return tree_.nodes[next_++];
  }
  bool IsNull(size_t index) const { return tree_.IsNull(tree_.nodes[index]); }
  void Start(const YAML::Mark& mark, YamlTreeNode::Type type) {
    const YamlTreeNode& node = Next(mark);
    if (node.type != type) throw Mismatch{node.begin};
    open_.push_back(&node);
  }
  void End() {
    const YamlTreeNode* node = open_.back();
    open_.pop_back();
    if (node->text_or_end != next_) throw Mismatch{node->begin};
  }

  const YamlTree& tree_;
  size_t next_ = 0;
  int documents_ = 0;
  std::vector<const YamlTreeNode*> open_;
};

// Has yaml-cpp read the source too. What it does not read as the scanner did is written so oddly
// that people and programs will differ about it.
void CompareWithYamlCpp(const YamlTree& tree, YamlFindings* findings) {
  const auto add = [&](size_t offset) {
    findings->Add(
        std::min(offset, tree.source.size()),
        "readers of YAML differ about what is written here; put the text in double quotes, on "
        "one line");
  };
  try {
    StringViewBuffer buffer(tree.source);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    TreeComparer comparer(tree);
    while (parser.HandleNextDocument(comparer)) {
    }
    if (!comparer.Complete()) add(tree.source.size());
  } catch (const TreeComparer::Mismatch& mismatch) {
    add(mismatch.offset);
  } catch (const YAML::Exception& e) {
    add(static_cast<size_t>(std::max(e.mark.pos, 0)));
  }
}

}  // namespace

std::optional<YamlDocument> ReadYaml(std::string_view file, std::string text,
                                     const YamlLimits& limits, std::vector<Issue>* issues) {
  YamlLimits bounds = limits;
  bounds.max_bytes = std::min(bounds.max_bytes, kYamlTreeMaxBytes);
  bounds.max_depth = std::min(bounds.max_depth, 256);
  const auto add_issue = [&](Position position, std::string message) {
    Issue issue;
    issue.file = std::string(file);
    issue.position = position;
    issue.message = std::move(message);
    issues->push_back(std::move(issue));
  };
  if (text.size() > bounds.max_bytes) {
    add_issue({}, absl::StrCat("the file has ", text.size(), " bytes; at most ", bounds.max_bytes,
                               " are allowed; divide it into several"));
    return std::nullopt;
  }

  auto tree = std::make_unique<YamlTree>();
  tree->source = std::move(text);
  if (tree->source.compare(0, 3, "\xEF\xBB\xBF") == 0) tree->source.erase(0, 3);

  YamlFindings findings(std::max<size_t>(bounds.max_issues, 1));
  if (CheckCharacters(tree.get(), &findings)) {
    YamlScanner(bounds, tree.get(), &findings).Scan();
    // yaml-cpp takes more than quadratic time for some inputs, all of them beyond the limits.
    if (findings.empty()) CompareWithYamlCpp(*tree, &findings);
  }
  if (findings.empty()) {
    tree->nodes.shrink_to_fit();
    tree->decoded.shrink_to_fit();
    return YamlDocument(std::move(tree));
  }
  std::vector<YamlFindings::Finding>& found = *findings.found();
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (YamlFindings::Finding& finding : found) {
    add_issue(tree->PositionAt(finding.offset), std::move(finding.message));
  }
  if (findings.dropped()) {
    add_issue({}, absl::StrCat("more than ", found.size(), " problems; the rest are not shown"));
  }
  return std::nullopt;
}

}  // namespace reeve
