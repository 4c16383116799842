// The tree of one YAML file, and places in it.
#ifndef REEVE_POLICY_YAML_DOCUMENT_H_
#define REEVE_POLICY_YAML_DOCUMENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "reeve/policy/issue.h"

namespace reeve {

struct YamlTree;  // yaml_tree.h

enum class YamlKind : uint8_t { kScalar, kSequence, kMapping };
enum class YamlStyle : uint8_t { kPlain, kSingleQuoted, kDoubleQuoted, kLiteral, kFolded };

// One node of a YamlDocument. A value, two words; valid as long as the document's contents. What a
// method requires of kind() is the caller's to check.
class YamlNode {
 public:
  class Items;
  class Members;

  YamlKind kind() const;
  bool IsScalar() const { return kind() == YamlKind::kScalar; }
  bool IsSequence() const { return kind() == YamlKind::kSequence; }
  bool IsMapping() const { return kind() == YamlKind::kMapping; }

  // Where the node begins: a quoted scalar at its quote, a block scalar at its `|` or `>`, a block
  // collection at its first `-` or key, an absent value behind the `:` or `-` it belongs to.
  Position position() const;
  // The same as an offset into YamlDocument::source().
  size_t source_offset() const;
  // Where the last scalar in the node ends, before a closing quote; if there is none behind it,
  // where the last collection begins.
  Position EndPosition() const;

  // Scalars but blocks: the offset behind the last character, a closing quote included.
  size_t end_offset() const;

  // Scalars: the text, unquoted, unescaped and folded. Never holds a control character but tab and
  // line feed.
  std::string_view text() const;
  YamlStyle style() const;
  // Scalars: written without quotes and not as a block. Only these can be a number, a boolean or
  // null; the text of all others is just text.
  bool plain() const { return style() == YamlStyle::kPlain; }
  // True for a plain scalar that is absent, `~`, `null`, `Null` or `NULL`.
  bool IsNull() const;
  // True if nothing is written where a value could be, as in `when:`.
  bool IsAbsent() const { return IsScalar() && plain() && text().empty(); }
  // Scalars: the place in the file of the character at byte `text_offset` of text(), or behind the
  // last one if `text_offset` is text().size(). A line break that came from folding or from a block
  // scalar is placed at the end of the line before it.
  Position PositionInScalar(size_t text_offset) const;

  // Sequences: the number of items; mappings: of members; scalars: 0.
  size_t size() const;
  // Sequences: the items, in file order.
  Items items() const;
  // Mappings: key and value of each member, in file order. Keys are scalars, and unique.
  Members members() const;

 private:
  friend class YamlDocument;
  YamlNode(const YamlTree* tree, uint32_t index) : tree_(tree), index_(index) {}
  // The index of the node behind this one and all below it.
  uint32_t End() const;

  const YamlTree* tree_;
  uint32_t index_;
};

// Ranges for `for (YamlNode item : node.items())`.
class YamlNode::Items {
 public:
  class Iterator {
   public:
    explicit Iterator(YamlNode node) : node_(node) {}
    YamlNode operator*() const { return node_; }
    Iterator& operator++() {
      node_.index_ = node_.End();
      return *this;
    }
    bool operator!=(const Iterator& other) const { return node_.index_ != other.node_.index_; }

   private:
    YamlNode node_;
  };

  Iterator begin() const { return Iterator({node_.tree_, node_.index_ + 1}); }
  Iterator end() const { return Iterator({node_.tree_, node_.End()}); }

 private:
  friend class YamlNode;
  explicit Items(YamlNode node) : node_(node) {}
  YamlNode node_;
};

struct YamlMember {
  YamlNode key;
  YamlNode value;
};

// Ranges for `for (auto [key, value] : node.members())`.
class YamlNode::Members {
 public:
  class Iterator {
   public:
    explicit Iterator(YamlNode key) : key_(key) {}
    YamlMember operator*() const { return {key_, {key_.tree_, key_.index_ + 1}}; }
    Iterator& operator++() {
      key_.index_ = (**this).value.End();
      return *this;
    }
    bool operator!=(const Iterator& other) const { return key_.index_ != other.key_.index_; }

   private:
    YamlNode key_;
  };

  Iterator begin() const { return Iterator({node_.tree_, node_.index_ + 1}); }
  Iterator end() const { return Iterator({node_.tree_, node_.End()}); }

 private:
  friend class YamlNode;
  explicit Members(YamlNode node) : node_(node) {}
  YamlNode node_;
};

// A comment, from its `#` to before the end of its line.
struct YamlComment {
  uint32_t begin;  // Offsets into YamlDocument::source().
  uint32_t end;
  uint32_t flow;  // Where the `[` or `{` that it stands in begins, or UINT32_MAX.
};

// A whole file, read by ReadYaml(). Immutable: any thread. Costs the file's size plus 12 bytes a
// node and 4 a line and 12 a comment; destroying and walking it do not recurse.
class YamlDocument {
 public:
  // Moving keeps the nodes valid.
  YamlDocument(YamlDocument&&) noexcept;
  YamlDocument& operator=(YamlDocument&&) noexcept;
  ~YamlDocument();

  // An empty file has an absent root.
  YamlNode root() const { return {tree_.get(), 0}; }
  // The file's text, without a byte order mark.
  std::string_view source() const;
  // The comments, in file order.
  const std::vector<YamlComment>& comments() const;
  // The line and column of `offset`, at most source().size(), in source().
  Position PositionAt(size_t offset) const;

  // For ReadYaml() and snapshot files.
  explicit YamlDocument(std::unique_ptr<const YamlTree> tree);
  const YamlTree& tree() const { return *tree_; }

 private:
  std::unique_ptr<const YamlTree> tree_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_YAML_DOCUMENT_H_
