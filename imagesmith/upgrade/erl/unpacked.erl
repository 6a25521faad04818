%% Tells release_handler of `version`, whose files lie on the volume; no tarball is needed.
%%
%% What it knew of a version by this name that is not running is forgotten first, since its
%% applications may be others. set_removed/1 deletes no files (OTP: release_handler(3)).
#{version := Version, file := RelFile} = Args,
Known = [S || {_, V, _, S} <- release_handler:which_releases(), V =:= Version],
case Known of
    [S] when S =:= unpacked; S =:= old -> ok = release_handler:set_removed(Version);
    _ -> ok
end,
case release_handler:set_unpacked(RelFile, []) of
    {ok, Version} -> ok;
    {error, {existing_release, Version}} -> ok;
    {error, Reason} -> {refused, unicode:characters_to_binary(io_lib:format("~tp", [Reason]))}
end.
