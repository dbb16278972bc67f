#include "common/model/request_window.h"

#include <absl/strings/str_cat.h>

#include <utility>

namespace kvs {

RememberedRequest RequestWindow::Entry::View() const {
  const absl::string_view response = absl::string_view(texts).substr(actor_size + id_size);
  return {revision, time_micros, actor(), id(), {command_hash, revisions, response}};
}

void RequestWindow::Add(const RememberedRequest& request) {
  if (request.revision <= forgotten_revision_) return;
  const Answer& answer = request.answer;
  Entry added{request.revision,
              request.time_micros,
              answer.command_hash,
              answer.revisions,
              static_cast<uint32_t>(request.actor.size()),
              static_cast<uint32_t>(request.id.size()),
              absl::StrCat(request.actor, request.id, answer.response)};
  const auto [it, is_new] = by_revision_.try_emplace(request.revision, std::move(added));
  if (!is_new) return;
  const Entry* entry = &it->second;
  bytes_ += entry->texts.size();
  const auto [known, is_first] = by_name_.insert(entry);
  if (!is_first && (*known)->revision < entry->revision) {
    by_name_.erase(known);
    by_name_.insert(entry);
  }
  while (IsOverBounds()) RemoveOldest();
}

bool RequestWindow::IsOverBounds() const {
  if (by_revision_.empty()) return false;
  if (by_revision_.size() > bounds_.count || bytes_ > bounds_.bytes) return true;
  return by_revision_.rbegin()->second.time_micros - by_revision_.begin()->second.time_micros > bounds_.age_micros;
}

void RequestWindow::RemoveOldest() {
  const auto oldest = by_revision_.begin();
  const auto known = by_name_.find(&oldest->second);
  if (known != by_name_.end() && *known == &oldest->second) by_name_.erase(known);
  bytes_ -= oldest->second.texts.size();
  forgotten_revision_ = oldest->first;
  by_revision_.erase(oldest);
}

std::optional<RememberedRequest> RequestWindow::Find(absl::string_view actor, absl::string_view id) const {
  const auto it = by_name_.find(Name{actor, id});
  if (it == by_name_.end()) return std::nullopt;
  return (*it)->View();
}

void RequestWindow::ForEach(absl::FunctionRef<void(const RememberedRequest&)> visit) const {
  for (const auto& [revision, entry] : by_revision_) visit(entry.View());
}

void RequestWindow::Clear() {
  by_name_.clear();
  by_revision_.clear();
  bytes_ = 0;
  forgotten_revision_ = 0;
}

}  // namespace kvs
