%% Lets release_handler forget `version`, which is not installed; no file is deleted by it.
#{version := Version} = Args,
case [S || {_, V, _, S} <- release_handler:which_releases(), V =:= Version] of
    [S] when S =:= unpacked; S =:= old -> release_handler:set_removed(Version);
    _ -> ok
end.
