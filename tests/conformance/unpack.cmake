# Unpacks ARCHIVE into FOLDER once; does nothing when the archive is absent.
if(NOT EXISTS ${ARCHIVE})
  message(STATUS "there is no ${ARCHIVE}")
elseif(NOT ${FOLDER}/unpacked IS_NEWER_THAN ${ARCHIVE} OR NOT EXISTS ${FOLDER}/unpacked)
  file(REMOVE_RECURSE ${FOLDER})
  file(MAKE_DIRECTORY ${FOLDER})
  file(ARCHIVE_EXTRACT INPUT ${ARCHIVE} DESTINATION ${FOLDER})
  file(TOUCH ${FOLDER}/unpacked)
endif()
