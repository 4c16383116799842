// Which entities lie in which, asked through decisions: each rule names one entity, so that the
// rules of a decision tell what the principal lies in.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/explain.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::Ids;
using testing::MakeEntity;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeRule;

std::unique_ptr<Engine> MakeEngine(SnapshotBuilder* builder) {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  std::unique_ptr<Engine> engine = *Engine::Create(options);
  const auto snapshot = builder->Build();
  EXPECT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(engine->Replace(snapshot.ok() ? *snapshot : nullptr).ok(), snapshot.ok());
  return engine;
}

std::string Name(size_t node) { return "n:" + std::to_string(node); }

// The graphs of `count` nodes whose parents have lower numbers: one for each set of edges.
class Graph {
 public:
  Graph(size_t count, uint64_t edges) : parents_(count), ancestors_(count) {
    for (size_t child = 1; child < count; ++child) {
      for (size_t parent = 0; parent < child; ++parent, edges >>= 1) {
        if ((edges & 1) == 0) continue;
        parents_[child].push_back(Name(parent));
        ancestors_[child].insert(parent);
        ancestors_[child].insert(ancestors_[parent].begin(), ancestors_[parent].end());
      }
    }
  }

  // Entities in both orders, since nodes are numbered as they come.
  std::unique_ptr<Engine> Load(bool backwards) const {
    SnapshotBuilder builder;
    for (size_t i = 0; i < parents_.size(); ++i) {
      const size_t node = backwards ? parents_.size() - 1 - i : i;
      builder.AddEntity(MakeEntity(Name(node), parents_[node]));
      builder.AddRule(MakeRule("+" + std::to_string(node), {Name(node)}, {"any"}, {"any"}));
    }
    return MakeEngine(&builder);
  }

  // The ids of the rules of a principal that lies in `nodes`.
  std::string Rules(const std::set<size_t>& nodes) const {
    std::set<size_t> all = nodes;
    for (const size_t node : nodes) {
      all.insert(ancestors_[node].begin(), ancestors_[node].end());
    }
    std::string text;
    for (const size_t node : all) text += (text.empty() ? "" : " ") + std::to_string(node);
    return text;
  }

 private:
  std::vector<std::vector<std::string>> parents_;
  std::vector<std::set<size_t>> ancestors_;
};

TEST(EntityGraphTest, EverySmallGraph) {
  constexpr size_t kNodes = 5;
  constexpr uint64_t kGraphs = uint64_t{1} << (kNodes * (kNodes - 1) / 2);
  for (uint64_t edges = 0; edges < kGraphs; ++edges) {
    const Graph graph(kNodes, edges);
    for (const bool backwards : {false, true}) {
      const std::unique_ptr<Engine> engine = graph.Load(backwards);
      for (size_t a = 0; a < kNodes; ++a) {
        const Principal principal = MakePrincipal(Name(a));
        EXPECT_EQ(Ids(engine->Decide(Request(principal, "x", {"y", "1"})).rules()),
                  graph.Rules({a}))
            << edges;
        // Two that are told by the request.
        for (size_t b = 0; b < a; ++b) {
          Principal both = MakePrincipal("user:u");
          both.parents = {MakeId(Name(a)), MakeId(Name(b)), MakeId(Name(a))};
          ASSERT_EQ(Ids(engine->Decide(Request(both, "x", {"y", "1"})).rules()),
                    graph.Rules({a, b}))
              << edges;
        }
      }
    }
  }
}

TEST(EntityGraphTest, ADeepChainIsNotQuadratic) {
  constexpr int kDepth = 50000;
  SnapshotBuilder builder;
  for (int i = 1; i <= kDepth; ++i) {
    builder.AddEntity(MakeEntity(Name(static_cast<size_t>(i)), {Name(static_cast<size_t>(i - 1))}));
  }
  builder.AddRule(MakeRule("+root", {Name(0)}, {"any"}, {"any"}));
  builder.AddRule(MakeRule("+middle", {Name(kDepth / 2)}, {"any"}, {"any"}));
  builder.AddRule(MakeRule("+leaf", {Name(kDepth)}, {"any"}, {"any"}));
  const std::unique_ptr<Engine> engine = MakeEngine(&builder);
  const auto rules_of = [&](int node) {
    const Principal principal = MakePrincipal(Name(static_cast<size_t>(node)));
    return Ids(engine->Decide(Request(principal, "x", {"y", "1"})).rules());
  };
  EXPECT_EQ(rules_of(kDepth), "leaf middle root");
  EXPECT_EQ(rules_of(kDepth - 1), "middle root");
  EXPECT_EQ(rules_of(kDepth / 2 - 1), "root");
}

// Each level of a ladder doubles the ways up; each node is met once.
TEST(EntityGraphTest, WaysAreNotCountedTwice) {
  constexpr size_t kLevels = 2000;
  SnapshotBuilder builder;
  for (size_t level = 1; level < kLevels; ++level) {
    const std::vector<std::string> above = {Name(2 * level - 2), Name(2 * level - 1)};
    builder.AddEntity(MakeEntity(Name(2 * level), above));
    builder.AddEntity(MakeEntity(Name(2 * level + 1), above));
  }
  for (const size_t node : {0, 1, 1000, 1001}) {
    builder.AddRule(MakeRule("+" + std::to_string(node), {Name(node)}, {"any"}, {"any"}));
  }
  const std::unique_ptr<Engine> engine = MakeEngine(&builder);
  const Principal principal = MakePrincipal(Name(2 * kLevels - 1));
  EXPECT_EQ(Ids(engine->Decide(Request(principal, "x", {"y", "1"})).rules()), "0 1 1000 1001");
}

// With few and with more above a node than is worked out beforehand.
TEST(EntityGraphTest, LargeGraphs) {
  constexpr size_t kNodes = 700;
  for (const size_t most_parents : {2, 4, 12}) {
    std::mt19937 chance(static_cast<unsigned>(most_parents));
    std::vector<std::set<size_t>> lies_in(kNodes);
    SnapshotBuilder builder;
    for (size_t node = 0; node < kNodes; ++node) {
      std::vector<std::string> parents;
      // Every third node has one parent, and every tenth none.
      const size_t count = node % 10 == 0 ? 0 : node % 3 == 0 ? 1 : most_parents;
      for (size_t i = 0; i < count; ++i) {
        const size_t parent = chance() % node;
        parents.push_back(Name(parent));
        lies_in[node].insert(parent);
        lies_in[node].insert(lies_in[parent].begin(), lies_in[parent].end());
      }
      builder.AddEntity(MakeEntity(Name(node), parents));
      if (node % 2 == 0) {
        builder.AddRule(MakeRule("+" + std::to_string(node), {Name(node)}, {"any"}, {"any"}));
      }
    }
    const std::unique_ptr<Engine> engine = MakeEngine(&builder);
    size_t most = 0;
    for (size_t node = 0; node < kNodes; ++node) {
      std::set<std::string> want;
      most = std::max(most, lies_in[node].size());
      lies_in[node].insert(node);
      for (const size_t above : lies_in[node]) {
        if (above % 2 == 0) want.insert(std::to_string(above));
      }
      const Principal principal = MakePrincipal(Name(node));
      const Request request(principal, "x", {"y", "1"});
      const Decision decision = engine->Decide(request);
      EXPECT_EQ(Ids(decision.rules()), absl::StrJoin(want, " ")) << node;
      // An explanation asks for each entity alone.
      if (node % 16 != 0) continue;
      std::set<std::string> through;
      for (const RuleExplanation& rule : Explain(decision, request).rules) {
        if (rule.principals_by.pattern != nullptr) through.insert(rule.rule->id);
      }
      EXPECT_EQ(through, want) << node;
    }
    EXPECT_EQ(most > 400, most_parents == 12) << most;
  }
}

// The memory of one graph is used for the next.
TEST(EntityGraphTest, EnginesWithOtherGraphsTakeTurns) {
  std::vector<std::unique_ptr<Engine>> engines;
  std::vector<Graph> graphs;
  for (const uint64_t edges : {uint64_t{0x3FF}, uint64_t{0x155}, uint64_t{0}}) {
    graphs.emplace_back(5, edges);
    engines.push_back(graphs.back().Load(false));
  }
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < engines.size(); ++i) {
      const Principal principal = MakePrincipal(Name(4));
      EXPECT_EQ(Ids(engines[i]->Decide(Request(principal, "x", {"y", "1"})).rules()),
                graphs[i].Rules({4}));
    }
  }
}

}  // namespace
}  // namespace reeve
