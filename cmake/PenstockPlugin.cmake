# Builds plugins with native nodes, in Penstock's tree and in a project of your own:
#
#   include(${PENSTOCK_SOURCE}/cmake/PenstockPlugin.cmake)
#   penstock_plugin(my_nodes SOURCES my_nodes.cpp DEPS …)
#
# makes libmy_nodes.so (docs/native-nodes.md). A project of its own needs the headers of fmt, nlohmann-json and libexpected.
include_guard(GLOBAL)

# What every plugin is linked with: nothing of it is shared with the worker that loads the plugin.
add_library(penstock_plugin_parts INTERFACE)
if(TARGET penstock_message)
  target_link_libraries(penstock_plugin_parts INTERFACE penstock_flags penstock_message penstock_base nlohmann_json::nlohmann_json)
else()
  find_package(fmt REQUIRED)
  find_package(nlohmann_json REQUIRED)
  cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH penstock_source)
  set(penstock_source ${penstock_source}/src)
  add_library(penstock_node_library STATIC ${penstock_source}/base/duration.cpp ${penstock_source}/base/error.cpp
    ${penstock_source}/message/header.cpp)
  target_include_directories(penstock_node_library PUBLIC ${penstock_source})
  target_compile_features(penstock_node_library PUBLIC cxx_std_20)
  target_link_libraries(penstock_node_library PUBLIC fmt::fmt-header-only nlohmann_json::nlohmann_json)
  set_target_properties(penstock_node_library PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(penstock_plugin_parts INTERFACE penstock_node_library)
endif()

# In Penstock's tree the library goes where penstock-native looks for plugins.
function(penstock_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE penstock_plugin_parts ${ARG_DEPS})
  target_link_options(${name} PRIVATE -Wl,--exclude-libs,ALL -Wl,--no-undefined)
  set_target_properties(${name} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(TARGET penstock_message)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/penstock)
  endif()
endfunction()
