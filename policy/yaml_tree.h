// How a YamlDocument is laid out in memory.
#ifndef REEVE_POLICY_YAML_TREE_H_
#define REEVE_POLICY_YAML_TREE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/policy/issue.h"
#include "reeve/policy/yaml_document.h"

namespace reeve {

// Which lines and columns the offsets of a text have. Takes 4 bytes a line, and 4 more per block of
// 4 KiB if the text is not pure ASCII, so that a place is found in bounded time even if the whole
// file is one line.
class LineIndex {
 public:
  // Call with the offset of each line but the first, in order.
  void AddLine(size_t offset) { line_starts_.push_back(static_cast<uint32_t>(offset)); }
  // Call once, after all lines, if `source` has code points of several bytes.
  void CountCodePoints(std::string_view source);
  Position At(std::string_view source, size_t offset) const;

 private:
  // The bytes in [0, offset) that are not the first of their code point.
  size_t Continuations(std::string_view source, size_t offset) const;

  std::vector<uint32_t> line_starts_ = {0};
  std::vector<uint32_t> continuations_before_block_;  // Empty for ASCII.
};

// 12 bytes. Nodes lie in the order of their beginnings, a collection before its contents, so that
// the first child of node i is i + 1, and a mapping's children are key, value, key, value.
struct YamlTreeNode {
  enum Type : uint32_t {
    kPlain,
    kSingleQuoted,
    kDoubleQuoted,
    kLiteral,
    kFolded,
    kSequence,
    kMapping
  };
  // Offset in the source.
  uint32_t begin;
  // Scalars: where the text starts: in the source if less than its size, else in `decoded`.
  // Collections: the index of the node behind the last one inside.
  uint32_t text_or_end;
  uint32_t type : 3;
  // Scalars: bytes of text. Collections: items or members.
  uint32_t size : 29;

  bool IsScalar() const { return type <= kFolded; }
};

// The largest source a YamlTree can hold: source and `decoded` share 32-bit offsets, and a scalar
// its 29-bit size.
constexpr size_t kYamlTreeMaxBytes = size_t{1} << 29;

struct YamlTree {
  std::string source;   // Without byte order mark.
  std::string decoded;  // Texts that do not stand verbatim in the source, one after the other.
  std::vector<YamlTreeNode> nodes;
  std::vector<YamlComment> comments;
  LineIndex lines;

  std::string_view Text(const YamlTreeNode& node) const {
    const size_t at = node.text_or_end;
    return at < source.size() ? std::string_view(source).substr(at, node.size)
                              : std::string_view(decoded).substr(at - source.size(), node.size);
  }
  bool IsNull(const YamlTreeNode& node) const;
  Position PositionAt(size_t offset) const { return lines.At(source, offset); }
};

}  // namespace reeve

#endif  // REEVE_POLICY_YAML_TREE_H_
