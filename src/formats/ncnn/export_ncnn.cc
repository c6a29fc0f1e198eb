#include "base/file.h"
#include "formats/ncnn/emit.h"

namespace edgewright {

bool ncnn_has(const Node& node) { return ncnn_format::find_row(node) != nullptr; }

Result<std::vector<std::string>> export_ncnn(const Model& model, const std::string& path,
                                             const NcnnOptions& options) {
  ncnn_format::Emitter emitter(options);
  EDGEWRIGHT_ASSIGN(const ncnn_format::Files files, emitter.run(*model.graph));
  constexpr std::string_view kEnding = ".param";
  const std::string stem =
      path.ends_with(kEnding) ? path.substr(0, path.size() - kEnding.size()) : path;
  const std::string weights = stem + ".bin";
  EDGEWRIGHT_ASSIGN(AtomicFile bin, AtomicFile::create(weights));
  EDGEWRIGHT_TRY(bin.write(std::string_view(files.weights)));
  EDGEWRIGHT_ASSIGN(AtomicFile param, AtomicFile::create(path));
  EDGEWRIGHT_TRY(param.write(std::string_view(files.parameters)));
  EDGEWRIGHT_TRY(bin.commit());
  EDGEWRIGHT_TRY(param.commit());
  return std::vector<std::string>{path, weights};
}

}  // namespace edgewright
