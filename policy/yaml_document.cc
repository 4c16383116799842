#include "reeve/policy/yaml_document.h"

#include <algorithm>

#include "reeve/policy/yaml_scalar.h"
#include "reeve/policy/yaml_tree.h"

namespace reeve {
namespace {

constexpr size_t kBlockBytes = 4096;

size_t CountContinuations(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; });
}

}  // namespace

void LineIndex::CountCodePoints(std::string_view source) {
  continuations_before_block_ = {0};
  for (size_t at = 0; at < source.size(); at += kBlockBytes) {
    const size_t count = CountContinuations(source.substr(at, kBlockBytes));
    continuations_before_block_.push_back(
        static_cast<uint32_t>(continuations_before_block_.back() + count));
  }
}

size_t LineIndex::Continuations(std::string_view source, size_t offset) const {
  if (continuations_before_block_.empty()) return 0;
  const size_t block = offset / kBlockBytes;
  const size_t start = block * kBlockBytes;
  return continuations_before_block_[block] +
         CountContinuations(source.substr(start, offset - start));
}

Position LineIndex::At(std::string_view source, size_t offset) const {
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  const size_t start = *(after - 1);
  const size_t column =
      offset - start - (Continuations(source, offset) - Continuations(source, start));
  return {static_cast<int>(after - line_starts_.begin()), static_cast<int>(column) + 1};
}

bool YamlTree::IsNull(const YamlTreeNode& node) const {
  if (node.type != YamlTreeNode::kPlain || node.size > 4) return false;
  const std::string_view text = Text(node);
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

YamlKind YamlNode::kind() const {
  const YamlTreeNode& node = tree_->nodes[index_];
  return node.IsScalar()                        ? YamlKind::kScalar
         : node.type == YamlTreeNode::kSequence ? YamlKind::kSequence
                                                : YamlKind::kMapping;
}

size_t YamlNode::source_offset() const { return tree_->nodes[index_].begin; }

Position YamlNode::position() const { return tree_->PositionAt(source_offset()); }

std::string_view YamlNode::text() const { return tree_->Text(tree_->nodes[index_]); }

YamlStyle YamlNode::style() const {
  switch (tree_->nodes[index_].type) {
    case YamlTreeNode::kSingleQuoted:
      return YamlStyle::kSingleQuoted;
    case YamlTreeNode::kDoubleQuoted:
      return YamlStyle::kDoubleQuoted;
    case YamlTreeNode::kLiteral:
      return YamlStyle::kLiteral;
    case YamlTreeNode::kFolded:
      return YamlStyle::kFolded;
    default:
      return YamlStyle::kPlain;
  }
}

bool YamlNode::IsNull() const { return tree_->IsNull(tree_->nodes[index_]); }

Position YamlNode::PositionInScalar(size_t text_offset) const {
  const YamlTreeNode& node = tree_->nodes[index_];
  return tree_->PositionAt(SourceOffset(*tree_, node, text_offset));
}

size_t YamlNode::end_offset() const {
  const YamlTreeNode& node = tree_->nodes[index_];
  if (node.type == YamlTreeNode::kPlain) return SourceOffset(*tree_, node, node.size);
  const std::string& source = tree_->source;
  const char quote = source[node.begin];
  size_t at = node.begin + 1;
  // In single quotes two of them are one of the text.
  while (source[at] != quote || (quote == '\'' && source[at + 1] == quote)) {
    at += source[at] == quote || (quote == '"' && source[at] == '\\') ? 2 : 1;
  }
  return at + 1;
}

Position YamlNode::EndPosition() const {
  const YamlNode last(tree_, End() - 1);
  return last.IsScalar() ? last.PositionInScalar(last.text().size()) : last.position();
}

size_t YamlNode::size() const { return IsScalar() ? 0 : tree_->nodes[index_].size; }

YamlNode::Items YamlNode::items() const { return Items(*this); }

YamlNode::Members YamlNode::members() const { return Members(*this); }

uint32_t YamlNode::End() const {
  const YamlTreeNode& node = tree_->nodes[index_];
  return node.IsScalar() ? index_ + 1 : node.text_or_end;
}

YamlDocument::YamlDocument(std::unique_ptr<const YamlTree> tree) : tree_(std::move(tree)) {}
YamlDocument::YamlDocument(YamlDocument&&) noexcept = default;
YamlDocument& YamlDocument::operator=(YamlDocument&&) noexcept = default;
YamlDocument::~YamlDocument() = default;

std::string_view YamlDocument::source() const { return tree_->source; }

const std::vector<YamlComment>& YamlDocument::comments() const { return tree_->comments; }

Position YamlDocument::PositionAt(size_t offset) const { return tree_->PositionAt(offset); }

}  // namespace reeve
