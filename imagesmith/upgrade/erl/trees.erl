%% The static children of every supervision tree: [{Application, [{Path, Pid | atom()}]}].
%%
%% Children of simple_one_for_one and dynamic supervisors come and go, and are left out; so is what
%% lies below a supervisor that does not answer, which is `unreachable`.
Text = fun(Term) -> unicode:characters_to_binary(io_lib:format("~tw", [Term])) end,
Ask = fun(Pid) ->
    try gen_server:call(Pid, which_children, 5000) of
        Children when is_list(Children) -> Children
    catch
        _:_ -> unreachable
    end
end,
Walk = fun Walk(Path, Pid) ->
    case Ask(Pid) of
        unreachable ->
            [{Path, unreachable}];
        Children ->
            lists:append([
                begin
                    Here = [Text(Id) | Path],
                    State =
                        if
                            is_pid(Child) -> Text(Child);
                            true -> Child
                        end,
                    Below =
                        if
                            Type =:= supervisor, is_pid(Child) -> Walk(Here, Child);
                            true -> []
                        end,
                    [{Here, State} | Below]
                end
             || {Id, Child, Type, _Modules} <- Children, Id =/= undefined
            ])
    end
end,
Top = fun(App) ->
    %% OTP: application_master.erl; application:get_supervisor/1 is this, but not in OTP 25.
    case application_controller:get_master(App) of
        undefined ->
            undefined;
        Master ->
            try application_master:get_child(Master) of
                {Pid, _Module} when is_pid(Pid) -> Pid;
                _ -> undefined
            catch
                _:_ -> undefined
            end
    end
end,
[
    {App, [{lists:reverse(Path), State} || {Path, State} <- Walk([], Pid)]}
 || {App, _, _} <- application:which_applications(),
    App =/= kernel,
    Pid <- [Top(App)],
    is_pid(Pid)
].
