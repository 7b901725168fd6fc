# `cmake --install` puts a package in place that `find_package(sessile)` finds.
include(CMakePackageConfigHelpers)

set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/sessile")

set_target_properties(sessile PROPERTIES EXPORT_NAME sessile)
set_target_properties(sessile_conformance PROPERTIES EXPORT_NAME conformance)
install(TARGETS sessile sessile_conformance EXPORT sessileTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
if(TARGET sessile_postgres)
  # Exported apart: only who asks for the component needs libpq.
  install(TARGETS sessile_postgres EXPORT sessilePostgresTargets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  install(EXPORT sessilePostgresTargets NAMESPACE sessile:: DESTINATION "${package_directory}")
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/sessile" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT sessileTargets NAMESPACE sessile:: DESTINATION "${package_directory}")
if(TARGET sessile_command)
  install(TARGETS sessile_command DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/sessileConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/sessileConfig.cmake"
  INSTALL_DESTINATION "${package_directory}")
# Before 1.0 every minor version may change the interface.
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/sessileConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/sessileConfig.cmake"
  "${PROJECT_BINARY_DIR}/sessileConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindDeflate.cmake"
  DESTINATION "${package_directory}")
