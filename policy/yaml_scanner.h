// The strict scanner: source bytes to a YamlTree, or to what is wrong with them.
#ifndef REEVE_POLICY_YAML_SCANNER_H_
#define REEVE_POLICY_YAML_SCANNER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reeve/policy/yaml_limits.h"
#include "reeve/policy/yaml_tree.h"

namespace reeve {

// What is wrong, at offsets of the source; made into Issues when the reading is over.
class YamlFindings {
 public:
  struct Finding {
    size_t offset;
    std::string message;
  };

  explicit YamlFindings(size_t most) : most_(most) {}
  void Add(size_t offset, std::string message) {
    if (found_.size() < most_) {
      found_.push_back({offset, std::move(message)});
    } else {
      dropped_ = true;
    }
  }
  bool empty() const { return found_.empty(); }
  bool dropped() const { return dropped_; }
  std::vector<Finding>* found() { return &found_; }

 private:
  const size_t most_;
  bool dropped_ = false;
  std::vector<Finding> found_;
};

// Looks at each character of tree->source, and fills tree->lines. Returns false if the source
// cannot be scanned: it is not UTF-8, holds a lone carriage return or control characters, or is a
// file that git could not merge. Hidden characters are found too, but do not stop the scanner.
bool CheckCharacters(YamlTree* tree, YamlFindings* findings);

// Reads tree->source, which CheckCharacters() found good, into tree->nodes.
//
// A strict part of YAML 1.2: what a policy does not need is refused, not understood. There are no
// directives, anchors, aliases, tags, `? ` keys, merge keys, keys that are not text, keys of more
// than one line, indentation indicators, `key: value` pairs straight in a `[...]`, keys without
// `: ` in a `{...}`, nor tabs but in text, in comments and behind what a line says.
//
// Works line by line with a stack of the collections that are open, never by recursion, and looks
// at each byte a bounded number of times.
class YamlScanner {
 public:
  // All must outlive the scanner.
  YamlScanner(const YamlLimits& limits, YamlTree* tree, YamlFindings* findings)
      : limits_(limits), source_(tree->source), tree_(tree), findings_(findings) {}

  // Returns false if the tree is incomplete. It may be complete and still have findings.
  bool Scan();

 private:
  enum class State {
    kWantEntry,  // Flow collections: behind `[`, `{` or `,`.
    kWantNode,   // Behind `- ` or `key:`; or at the start of the document.
    kDone,       // Behind a node.
  };
  // The document, or a collection that is open.
  struct Level {
    YamlTreeNode::Type type = YamlTreeNode::kPlain;
    bool document = false;
    uint32_t node = 0;
    // The column, from 0, of the `- ` or the keys of a block collection; what is inside its entries
    // is indented more. -1 for the document; flow collections have that of the block around them.
    int indent = -1;
    State state = State::kWantNode;
    size_t place = 0;  // Where a node that is wanted but absent would have been.

    bool IsMapping() const { return !document && type == YamlTreeNode::kMapping; }
    bool IsSequence() const { return !document && type == YamlTreeNode::kSequence; }
  };
  struct Scalar {
    YamlTreeNode::Type type;
    size_t begin;
    size_t end;     // Behind the last character, closing quote included.
    bool verbatim;  // The text stands in the source as it is.
    bool is_key;    // `colon` is the `:` behind it.
    size_t colon;
  };

  // Blocks.
  bool NextLine(bool* ok);
  bool EndOfDocument();
  bool BlockLine();
  bool Content(bool may_open);
  bool BlockScalar();
  bool EndLine();

  // Flow collections.
  bool Flow();
  bool OpenFlow();
  bool FlowEntry();
  bool SkipFlowSpace(int indent, size_t opener);

  // Scalars.
  bool SkipProperties(bool in_flow);
  bool ReadScalar(bool in_flow, Scalar* scalar);
  bool ReadQuoted(bool in_flow, Scalar* scalar);
  size_t CheckEscape(size_t at);
  bool ReadPlain(bool in_flow, Scalar* scalar);
  size_t PlainLineEnd(size_t at, bool in_flow, size_t* stop) const;
  bool CheckPlainStart(bool in_flow);

  // The tree.
  bool Open(YamlTreeNode::Type type, size_t begin, int indent);
  bool Close();
  bool AddNode(YamlTreeNode::Type type, size_t begin, size_t text, size_t size);
  bool AddScalar(const Scalar& scalar);
  bool AddText(const Scalar& scalar);
  bool AddKey(const Scalar& scalar);
  bool AddAbsent();
  bool BeginValue(size_t begin);
  void CheckDuplicateKeys(uint32_t mapping, uint32_t end);

  // Characters.
  char Cur() const { return source_[pos_]; }
  bool AtIndicator(char c) const;
  bool AtColon(size_t at, bool in_flow) const;
  bool SkipBlanks();
  // True at the end of a line, or at a comment.
  bool AtLineEnd() const;
  void SkipComment();
  Level& top() { return levels_.back(); }
  std::string Place(size_t offset) const;
  std::string RestOfLine(size_t at) const;
  // Records what is wrong; false, so that a caller can return it.
  bool Fail(size_t offset, std::string message);

  const YamlLimits& limits_;
  const std::string& source_;
  YamlTree* const tree_;
  YamlFindings* const findings_;

  std::vector<Level> levels_;
  size_t pos_ = 0;
  size_t line_start_ = 0;
  // What stands before pos_, for EndLine()'s message.
  enum class Behind { kText, kQuote, kBracket, kMarker } behind_ = Behind::kText;
  std::vector<uint32_t> keys_;  // Scratch of CheckDuplicateKeys().
};

}  // namespace reeve

#endif  // REEVE_POLICY_YAML_SCANNER_H_
